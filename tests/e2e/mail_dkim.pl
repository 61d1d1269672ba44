#!/usr/bin/perl
# mail_dkim.pl ADDRESS PORT FILE... - what Mail::DKIM says of each message's signatures.
#
# Asks the DNS server at ADDRESS and PORT. One line for each file: a JSON array with an object for each
# signature, in their order: a, d, s, result ("pass", "fail", "invalid", ...) and why.
use strict;
use warnings;
use JSON::PP;
use Mail::DKIM::DNS;
use Mail::DKIM::Verifier;
use Net::DNS::Resolver;

my ($address, $port, @files) = @ARGV;
# Mail::DKIM gives up after ten seconds, in which Net::DNS by itself asks but twice.
Mail::DKIM::DNS::resolver(
    Net::DNS::Resolver->new(nameservers => [$address], port => $port, recurse => 1, dnsrch => 0,
        retrans => 1, retry => 4));
my $json = JSON::PP->new->canonical;

sub verify {
	my ($file) = @_;
	my $verifier = Mail::DKIM::Verifier->new;
	open my $in, '<:raw', $file or die "$file: $!\n";
	while (read $in, my $piece, 65536) {
		$verifier->PRINT($piece);
	}
	close $in;
	$verifier->CLOSE;
	return $verifier;
}

for my $file (@files) {
	my $verifier = verify($file);
	# No answer is no verdict (RFC 6376 6.1.2): it is tried again, as a mail server would.
	for (1 .. 2) {
		last unless grep { $_->result_detail =~ /DNS query timeout/ } $verifier->signatures;
		$verifier = verify($file);
	}
	print $json->encode([map { {
		a => $_->algorithm, d => $_->domain, s => $_->selector,
		result => $_->result, why => $_->result_detail,
	} } $verifier->signatures]), "\n";
}
