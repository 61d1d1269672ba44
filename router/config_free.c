/*
 * config_free.c - a configuration that nobody uses any more is taken apart.
 */
#include "router/config_int.h"

#include <stdlib.h>

#include "mta/dkim.h"
#include "mta/return_path.h"
#include "router/reasons.h"
#include "rules/rules.h"

static void
free_listeners(struct config *cfg)
{
	for (size_t i = 0; i < cfg->nlisteners; i++) {
		struct config_listener *l = &cfg->listeners[i];

		free(l->name);
		free(l->address_text);
		free(l->networks);
		SSL_CTX_free(l->smtp.tls);
	}
	free(cfg->listeners);
}

static void
free_sources(struct config *cfg)
{
	for (size_t i = 0; i < cfg->npools; i++) {
		free(cfg->pools[i].name);
		free(cfg->pools[i].sources);
	}
	for (size_t i = 0; i < cfg->nsources; i++) {
		free(cfg->sources[i].name);
		free(cfg->sources[i].hostname);
		free(cfg->sources[i].public_address);
	}
	free(cfg->pools);
	free(cfg->sources);
}

static void
free_credentials(struct config_credentials *c)
{
	free(c->access_key);
	config_secret_clear(&c->secret_key);
	free(c->file);
	free(c->profile);
	free(c->imds);
}

static void
free_texts(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static void
free_paths(struct config *cfg)
{
	for (size_t i = 0; i < cfg->npaths; i++) {
		struct config_path *path = &cfg->paths[i];

		free(path->name);
		free(path->relay_host);
		free(path->host);
		free(path->connect_address);
		free(path->ca_file);
		free(path->sts_ca_file);
		free(path->user);
		free(path->configuration_set);
		free(path->region);
		free(path->endpoint);
		free_credentials(&path->credentials);
		free_texts(path->tags, path->ntags);
		config_secret_clear(&path->password);
		SSL_CTX_free(path->tls_ctx);
	}
	free(cfg->paths);
}

static void
free_dkim(struct config *cfg)
{
	for (size_t i = 0; i < cfg->ndkim; i++) {
		struct config_dkim *dkim = &cfg->dkim[i];

		free(dkim->domain);
		free(dkim->selector);
		free(dkim->key_file);
		if (dkim->signer != NULL)
			dkim_signer_free(&dkim->signer);
	}
	free(cfg->dkim);
}

static void
free_return_path(struct config_return_path *back)
{
	free(back->domain);
	free(back->key_file);
	free_texts(back->feedback, back->nfeedback);
	free(back->postmaster);
	return_path_key_free(&back->key);
}

static void
free_feedback(struct config *cfg)
{
	for (size_t i = 0; i < cfg->nsqs; i++) {
		struct config_sqs *q = &cfg->sqs[i];

		free(q->name);
		free(q->queue);
		free(q->region);
		free(q->endpoint);
		free(q->ca_file);
		free_credentials(&q->credentials);
	}
	free(cfg->sqs);
	free_texts(cfg->sns.topics, cfg->sns.ntopics);
	free(cfg->sns.ca_file);
	free(cfg->sns.connect);
}

static void
free_webs(struct config *cfg)
{
	for (size_t i = 0; i < cfg->nwebs; i++) {
		struct config_web *w = &cfg->webs[i];

		free(w->name);
		free(w->address_text);
		free(w->certificate);
		free(w->key);
		free(w->users_file);
		free_texts(w->names, w->nnames);
		SSL_CTX_free(w->tls_ctx);
	}
	free(cfg->webs);
}

void
config_free_contents(struct config *cfg)
{
	free_listeners(cfg);
	free_sources(cfg);
	config_free_store(&cfg->store);
	free_paths(cfg);
	free_feedback(cfg);
	free_webs(cfg);
	config_free_hooks(cfg);
	free_dkim(cfg);
	free_return_path(&cfg->return_path);
	config_free_suppression(&cfg->suppression);
	free_texts(cfg->dns_servers, cfg->ndns_servers);
	free(cfg->dns_trust_anchor);
	free(cfg->file);
	free(cfg->hostname);
	free(cfg->state_directory);
	free(cfg->rules_file);
	free(cfg->reasons_file);
	reasons_unref(&cfg->reasons);
	free(cfg->users_file);
	free(cfg->log_file);
	free(cfg->admin_socket);
	ruleset_unref(cfg->rules);
	free(cfg->warnings);
}
