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
Mail::DKIM::DNS::resolver(
    Net::DNS::Resolver->new(nameservers => [$address], port => $port, recurse => 1, dnsrch => 0));
my $json = JSON::PP->new->canonical;
for my $file (@files) {
	my $verifier = Mail::DKIM::Verifier->new;
	open my $in, '<:raw', $file or die "$file: $!\n";
	while (read $in, my $piece, 65536) {
		$verifier->PRINT($piece);
	}
	close $in;
	$verifier->CLOSE;
	print $json->encode([map { {
		a => $_->algorithm, d => $_->domain, s => $_->selector,
		result => $_->result, why => $_->result_detail,
	} } $verifier->signatures]), "\n";
}
