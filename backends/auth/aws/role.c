/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a profile of the shared files says beside keys: a role to assume with
 * another profile's identity (and so on), with the environment's, the
 * container's or the instance's; with a web identity; a program to run.  The
 * files are read anew by each fetch.
 */
#include <config.h>
#include "backends/auth/aws/aws_impl.h"

#include <errno.h>
#include <string.h>
#include "backends/auth/profile_files.h"
#include "backends/base/buf.h"
#include "backends/base/encode.h"
#include "backends/base/env.h"

/* Of roles that assume each other; AWS itself allows fewer in a session. */
#define ROLE_CHAIN_MAX 8

struct walk {
	struct profile_files files;
	struct http_engine *engine;
	const char *seen[ROLE_CHAIN_MAX];
	size_t n_seen;
};

static int resolve(struct walk *walk, const char *name, struct cred *out,
		   struct err *err);

/* -EACCES whatever it was: a chain must not go on behind what is configured. */
static int failed(struct err *err)
{
	err->class = ERR_AUTH;
	err->code = EACCES;
	return -EACCES;
}

static struct sts_role role_of(const struct profile *p)
{
	return (struct sts_role){
		.arn = p->settings[PROFILE_ROLE_ARN],
		.session_name = p->settings[PROFILE_ROLE_SESSION_NAME],
		.external_id = p->settings[PROFILE_EXTERNAL_ID],
		.duration_s = p->settings[PROFILE_DURATION_SECONDS],
		.region = p->settings[PROFILE_REGION],
	};
}

/* credential_source: who this process is without a profile. */
static int source_fetch(struct walk *walk, const char *source,
			struct cred *out, struct err *err)
{
	struct container_config container;
	struct imds_config imds;
	int r;

	if (!strcmp(source, "Environment"))
		return cred_fill(out, "the environment",
				 env_get("AWS_ACCESS_KEY_ID"),
				 env_get("AWS_SECRET_ACCESS_KEY"),
				 env_get("AWS_SESSION_TOKEN"), err);
	if (!strcmp(source, "Ec2InstanceMetadata")) {
		imds_choose(&imds);
		if (!imds.base)
			return err_set(err, ERR_AUTH, EACCES,
				       "AWS_EC2_METADATA_DISABLED is set");
		return imds_fetch(&imds, walk->engine, out, err);
	}
	if (strcmp(source, "EcsContainer") != 0)
		return err_set(err, ERR_AUTH, EACCES,
			       "credential_source is Environment, "
			       "Ec2InstanceMetadata or EcsContainer");
	r = container_choose(&container, err);
	if (r == 0 && !container.url)
		r = err_set(err, ERR_AUTH, EACCES,
			    "credential_source is EcsContainer, but no "
			    "AWS_CONTAINER_CREDENTIALS_... is set");
	if (r == 0)
		r = container_fetch(&container, walk->engine, out, err);
	free(container.url);
	return r;
}

static bool has_keys(const struct profile *p)
{
	return p->access_key_id || p->secret_key;
}

static int keys_fetch(const struct profile *p, const char *name,
		      struct cred *out, struct err *err)
{
	cleanup_buf struct buf where = BUF_INIT;

	buf_str(&where, "profile ");
	encode_printable(&where, name, strlen(name), PROFILE_NAME_MAX);
	if (buf_failed(&where))
		return err_nomem(err);
	return cred_fill(out, where.data, p->access_key_id, p->secret_key,
			 p->session_token, err);
}

/* With whose identity the role is assumed. */
static int base_fetch(struct walk *walk, const struct profile *p,
		      const char *name, struct cred *out, struct err *err)
{
	const char *profile = p->settings[PROFILE_SOURCE_PROFILE];
	const char *source = p->settings[PROFILE_CREDENTIAL_SOURCE];

	if (profile && source)
		return err_set(err, ERR_AUTH, EACCES,
			       "source_profile and credential_source are both "
			       "set");
	if (source)
		return source_fetch(walk, source, out, err);
	if (!profile)
		return err_set(err, ERR_AUTH, EACCES,
			       "role_arn needs a source_profile, a "
			       "credential_source or a "
			       "web_identity_token_file");
	/* Its own keys, as botocore has it; else it would be a loop. */
	if (!strcmp(profile, name) && has_keys(p))
		return keys_fetch(p, name, out, err);
	return resolve(walk, profile, out, err);
}

static int role_fetch(struct walk *walk, const struct profile *p,
		      const char *name, struct cred *out, struct err *err)
{
	cleanup_cred struct cred base = { .kind = CRED_ANONYMOUS };
	struct sts_role role = role_of(p);
	int r;

	if (p->settings[PROFILE_MFA_SERIAL])
		return err_set(err, ERR_AUTH, EACCES,
			       "mfa_serial needs a person: use a "
			       "credential_process");
	if (p->settings[PROFILE_WEB_IDENTITY_TOKEN_FILE])
		return sts_web_identity(
			walk->engine, &role,
			p->settings[PROFILE_WEB_IDENTITY_TOKEN_FILE], out, err);
	r = base_fetch(walk, p, name, &base, err);
	if (r < 0)
		return r;
	return sts_assume_role(walk->engine, &role, &base, out, err);
}

static int profile_fetch(struct walk *walk, const struct profile *p,
			 const char *name, struct cred *out, struct err *err)
{
	if (p->settings[PROFILE_ROLE_ARN])
		return role_fetch(walk, p, name, out, err);
	if (has_keys(p))
		return keys_fetch(p, name, out, err);
	if (p->settings[PROFILE_CREDENTIAL_PROCESS])
		return process_fetch(p->settings[PROFILE_CREDENTIAL_PROCESS],
				     walk->engine, out, err);
	if (!p->is_present)
		return err_set(err, ERR_AUTH, EACCES, "there is no such profile");
	return err_set(err, ERR_AUTH, EACCES,
		       "it has neither keys nor a role_arn nor a "
		       "credential_process%s",
		       p->settings[PROFILE_SSO_SESSION] ||
				       p->settings[PROFILE_SSO_START_URL] ?
			       " (for SSO: aws configure export-credentials "
			       "--format process)" :
			       "");
}

static int enter(struct walk *walk, const char *name, struct err *err)
{
	for (size_t i = 0; i < walk->n_seen; i++)
		if (!strcmp(walk->seen[i], name))
			return err_set(err, ERR_AUTH, EACCES,
				       "source_profile leads in a circle");
	if (walk->n_seen == ROLE_CHAIN_MAX)
		return err_set(err, ERR_AUTH, EACCES,
			       "more than %d profiles in a row", ROLE_CHAIN_MAX);
	walk->seen[walk->n_seen++] = name;
	return 0;
}

static int resolve(struct walk *walk, const char *name, struct cred *out,
		   struct err *err)
{
	cleanup_profile struct profile p = { .is_present = false };
	cleanup_buf struct buf shown = BUF_INIT;
	enum profile_file keys_in;
	int r = enter(walk, name, err);

	if (r == 0)
		r = profile_files_merge(&walk->files, name, &p, &keys_in, err);
	if (r == 0)
		r = profile_fetch(walk, &p, name, out, err);
	if (r == 0 || r == -ECANCELED || r == -ENOMEM)
		return r;
	encode_printable(&shown, name, strlen(name), PROFILE_NAME_MAX);
	(void)err_wrap(err, "profile %s", shown.data ? shown.data : "?");
	return err->class == ERR_RETRY ? r : failed(err);
}

static int fetch(void *ctx, struct http_engine *engine, struct cred *out,
		 struct err *err)
{
	struct walk walk = { .engine = engine };
	int r = profile_files_choose(&walk.files, err);

	(void)ctx;
	if (r < 0)
		return failed(err);
	r = resolve(&walk, walk.files.name, out, err);
	profile_files_release(&walk.files);
	return r;
}

static enum aws_place place_of(const struct profile *p)
{
	if (p->settings[PROFILE_ROLE_ARN])
		return p->settings[PROFILE_WEB_IDENTITY_TOKEN_FILE] ?
			       AWS_PLACE_WEB_IDENTITY :
			       AWS_PLACE_ROLE;
	if (p->settings[PROFILE_CREDENTIAL_PROCESS])
		return AWS_PLACE_PROCESS;
	return AWS_PLACE_NONE;
}

static const char *place_word(enum aws_place place)
{
	return place == AWS_PLACE_PROCESS ? "program" :
	       place == AWS_PLACE_ROLE	  ? "role" :
					    "web identity";
}

int cred_source_profile(struct cred_source **out, enum aws_place *place,
			struct http_engine *engine, struct err *err)
{
	static const struct cred_remote_ops ops = {
		.fetch = fetch,
		.advisory_s = CRED_ADVISORY_S,
		.mandatory_s = CRED_MANDATORY_S,
	};
	cleanup_profile struct profile p = { .is_present = false };
	cleanup_buf struct buf name = BUF_INIT;
	struct profile_files files;
	enum profile_file keys_in;
	struct err ignored = ERR_INIT;
	int r = profile_files_choose(&files, err);

	*out = NULL;
	*place = AWS_PLACE_NONE;
	if (r < 0)
		return r;
	/* What cannot be read is told by who looks there for keys. */
	if (profile_files_merge(&files, files.name, &p, &keys_in, &ignored) == 0)
		*place = place_of(&p);
	if (*place != AWS_PLACE_NONE) {
		buf_printf(&name, "%s of profile ", place_word(*place));
		encode_printable(&name, files.name, strlen(files.name),
				 PROFILE_NAME_MAX);
		r = buf_failed(&name) ? err_nomem(err) :
					cred_source_remote(out, name.data, &ops,
							   NULL, engine, err);
	}
	profile_files_release(&files);
	return r;
}
