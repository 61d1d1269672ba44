/*
 * spf_child.c - the child of an SPF check: libspf2, confined.
 *
 * Started by spf.c as this very program under another name. It makes itself
 * harmless (spf_confine.c), evaluates one request and asks for every DNS
 * record over the pipe. Only when it is confined does it read the request.
 */
#include "mta/spf/spf_int.h"

#include <arpa/inet.h>
#include <spf2/spf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "mta/spf/spf_pipe.h"

/* Exit statuses, for whoever reads "the check ended early (status n)". */
enum { EXIT_PIPE = 3, EXIT_REQUEST, EXIT_ANSWER, EXIT_MEMORY };

static uint8_t frame[SPF_FRAME_MAX];

static size_t
read_frame(void)
{
	ssize_t n = read(STDIN_FILENO, frame, sizeof(frame));

	if (n <= 0)
		_exit(EXIT_PIPE);
	return (size_t)n;
}

static void
write_frame(struct str *s)
{
	ssize_t n = write(STDOUT_FILENO, s->data, s->len);

	if (n < 0)
		_exit(EXIT_PIPE);
	str_release(s);
}

static _Noreturn void
end_with(enum spf_result result, const char *why)
{
	struct spf_answer a = { .result = result };
	struct str s = STR_INIT;

	snprintf(a.why, sizeof(a.why), "%s", why);
	spf_pipe_put_result(&s, &a);
	write_frame(&s);
	_exit(EXIT_SUCCESS);
}

static void __attribute__((noreturn))
on_library_error(const char *file, int line, const char *text)
{
	(void)file;
	(void)line;
	end_with(SPF_CRASHED, text);
}

/* RFC 7208 7.3: a name too long after its macros loses labels on the left. */
static const char *
shortened(const char *name)
{
	const char *dot = name;

	while (strlen(name) > SPF_NAME_MAX && dot != NULL) {
		dot = strchr(name, '.');
		if (dot != NULL)
			name = dot + 1;
	}
	return name;
}

static void
ask(struct spf_values *answer, int type, const char *name)
{
	struct spf_question q = { .type = type };
	struct str s = STR_INIT;

	snprintf(q.name, sizeof(q.name), "%s", name);
	spf_pipe_put_question(&s, &q);
	write_frame(&s);
	if (spf_pipe_read_answer(answer, type, frame, read_frame()) != 0)
		_exit(EXIT_ANSWER);
}

/* libspf2 takes texts that end in NUL. It wants a space behind the version,
 * which a record of nothing else need not have (RFC 7208 4.5). */
static void
add_value(SPF_dns_rr_t *rr, const uint8_t *value, size_t len)
{
	int i = rr->num_rr;

	if (SPF_dns_rr_buf_realloc(rr, i, len + 2) != SPF_E_SUCCESS)
		_exit(EXIT_MEMORY);
	memcpy(rr->rr[i], value, len);
	memset((char *)rr->rr[i] + len, 0, 2);
	if (rr->rr_type == ns_t_txt &&
	    strcasecmp(rr->rr[i]->txt, SPF_VER_STR) == 0)
		rr->rr[i]->txt[len] = ' ';
	rr->num_rr++;
}

static SPF_dns_rr_t *
new_records(SPF_dns_server_t *dns, const char *name, ns_type type, int herrno)
{
	SPF_dns_rr_t *rr = SPF_dns_rr_new_init(dns, name, type, 0, herrno);

	if (rr == NULL)
		_exit(EXIT_MEMORY);
	return rr;
}

static SPF_dns_rr_t *
on_lookup(
    SPF_dns_server_t *dns, const char *name, ns_type type, int should_cache)
{
	static const int herrno[] = {
		[DNS_OK] = NETDB_SUCCESS,
		[DNS_NODATA] = NO_DATA,
		[DNS_NXDOMAIN] = HOST_NOT_FOUND,
		[DNS_TEMPFAIL] = TRY_AGAIN,
	};
	struct spf_values answer;
	const uint8_t *value;
	SPF_dns_rr_t *rr;
	size_t len;

	(void)should_cache;
	/* RFC 7208 3.1: records of type SPF are not looked at any more. */
	if (type == ns_t_spf)
		return new_records(dns, name, type, NO_DATA);
	name = shortened(name);
	if (strlen(name) > SPF_NAME_MAX)
		return new_records(dns, name, type, HOST_NOT_FOUND);
	ask(&answer, (int)type, name);
	rr = new_records(dns, name, type, herrno[answer.status]);
	while ((value = spf_pipe_next(&answer, &len)) != NULL)
		add_value(rr, value, len);
	return rr;
}

/* What `exp=` would say to a stranger is of no interest. */
static SPF_errcode_t
on_explanation(
    SPF_server_t *server, const char *domain, char **text, size_t *size)
{
	(void)server;
	(void)domain;
	(void)text;
	(void)size;
	return SPF_E_SUCCESS;
}

static SPF_server_t *
new_server(void)
{
	static SPF_dns_server_t dns = {
		.lookup = on_lookup,
		.get_exp = on_explanation,
		.name = "pipe",
	};

	SPF_error_handler = on_library_error;
	SPF_warning_handler = NULL;
	SPF_info_handler = NULL;
	SPF_debug_handler = NULL;
	return SPF_server_new_dns(&dns, 0);
}

static SPF_request_t *
new_request(SPF_server_t *server)
{
	struct spf_request asked;
	SPF_request_t *r = SPF_request_new(server);

	if (spf_pipe_read_request(&asked, frame, read_frame()) != 0)
		_exit(EXIT_REQUEST);
	if (r == NULL || SPF_request_set_helo_dom(r, asked.helo) != 0 ||
	    SPF_request_set_env_from(r, asked.mail_from) != 0)
		_exit(EXIT_MEMORY);
	if (SPF_request_set_ipv4_str(r, asked.address) != 0 &&
	    SPF_request_set_ipv6_str(r, asked.address) != 0)
		_exit(EXIT_REQUEST);
	return r;
}

/*
 * SPF_request_query_mailfrom, but without its free pass for 127.0.0.0/8 and
 * ::1: nobody asks about those but to try the check itself.
 */
static SPF_errcode_t
evaluate(SPF_request_t *request, SPF_response_t *response)
{
	SPF_record_t *record = NULL;
	SPF_errcode_t error;

	request->cur_dom = request->env_from_dp;
	error = SPF_server_get_record(
	    request->spf_server, request, response, &record);
	if (error != SPF_E_SUCCESS)
		return error;
	response->spf_record_exp = record;
	return SPF_record_interpret(record, request, response, 0);
}

static enum spf_result
result_of(SPF_response_t *response, SPF_errcode_t error)
{
	static const enum spf_result results[] = {
		[SPF_RESULT_NEUTRAL] = SPF_NEUTRAL,
		[SPF_RESULT_PASS] = SPF_PASS,
		[SPF_RESULT_FAIL] = SPF_FAIL,
		[SPF_RESULT_SOFTFAIL] = SPF_SOFTFAIL,
		[SPF_RESULT_NONE] = SPF_NONE,
		[SPF_RESULT_TEMPERROR] = SPF_TEMPERROR,
		[SPF_RESULT_PERMERROR] = SPF_PERMERROR,
	};

	if (SPF_response_result(response) != SPF_RESULT_INVALID)
		return results[SPF_response_result(response)];
	if (error == SPF_E_DNS_ERROR)
		return SPF_TEMPERROR;
	/* Alone it means that there is no record; a record that cannot be
	 * compiled has more to say. */
	if (error == SPF_E_NOT_SPF && SPF_response_messages(response) == 1)
		return SPF_NONE;
	return SPF_PERMERROR;
}

/* The library's first complaint, else its comment without the name of the
 * receiving host in front. */
static const char *
words_of(SPF_response_t *response)
{
	const char *comment = SPF_response_get_header_comment(response);
	const char *colon = comment == NULL ? NULL : strstr(comment, ": ");

	if (SPF_response_errors(response) > 0)
		for (int i = 0; i < SPF_response_messages(response); i++)
			if (SPF_error_errorp(SPF_response_message(response, i)))
				return SPF_error_message(
				    SPF_response_message(response, i));
	if (colon != NULL)
		return colon + 2;
	return comment != NULL ? comment : "";
}

static _Noreturn void
run(void)
{
	/* The library reads this host's name: before that is forbidden. */
	SPF_server_t *server = new_server();
	struct err e = ERR_INIT;
	SPF_request_t *request;
	SPF_response_t *response;
	SPF_errcode_t error;

	if (server == NULL)
		_exit(EXIT_MEMORY);
	if (spf_confine(&e) != 0)
		end_with(SPF_CRASHED, e.text);
	request = new_request(server);
	response = SPF_response_new(request);
	if (response == NULL)
		_exit(EXIT_MEMORY);
	error = evaluate(request, response);
	end_with(result_of(response, error), words_of(response));
}

void
spf_child_main(int argc, char **argv)
{
	if (argc > 0 && strcmp(argv[0], SPF_CHILD) == 0)
		run();
}
