/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One profile out of the text of an AWS shared file (INI): ~/.aws/credentials
 * has sections [NAME], ~/.aws/config [profile NAME] or [default].  Names of
 * settings are case-insensitive, values go to the end of the line, indented
 * lines belong to a nested setting and are passed over, the last of two wins.
 * A pure function of the text.  Private to auth/.
 */
#ifndef DATASETFS_AUTH_PROFILE_H
#define DATASETFS_AUTH_PROFILE_H

#include <stddef.h>
#include "backends/base/err.h"

#define PROFILE_NAME_MAX 128
#define PROFILE_LINE_MAX (16 << 10)

enum profile_file { PROFILE_CREDENTIALS, PROFILE_CONFIG, PROFILE_FILES };

/* In this order in profile.c. */
enum profile_setting {
	PROFILE_ROLE_ARN,
	PROFILE_SOURCE_PROFILE,
	PROFILE_CREDENTIAL_SOURCE,
	PROFILE_WEB_IDENTITY_TOKEN_FILE,
	PROFILE_CREDENTIAL_PROCESS,
	PROFILE_EXTERNAL_ID,
	PROFILE_ROLE_SESSION_NAME,
	PROFILE_DURATION_SECONDS,
	PROFILE_MFA_SERIAL,
	PROFILE_REGION,
	PROFILE_SSO_SESSION,
	PROFILE_SSO_START_URL,
	PROFILE_SETTINGS,
};

struct profile {
	bool is_present;	/* the section is there */
	char *access_key_id;	/* NULL where it is not set */
	char *secret_key;
	char *session_token;
	char *settings[PROFILE_SETTINGS];
};
/* Wipes. */
void profile_release(struct profile *profile);
#define cleanup_profile __attribute__((cleanup(profile_release)))

/*
 * *out must be zeroed; release it after 0 and after a failure.  A section that
 * is not there is no failure.  ERR_USAGE (-EINVAL) with the line's number, and
 * never its content, for what is not such a file.
 */
int profile_parse(struct profile *out, const char *text, size_t len,
		  enum profile_file kind, const char *name, struct err *err)
	MUST_CHECK;

#endif
