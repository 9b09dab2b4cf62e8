/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the AWS profiles of this process are: AWS_SHARED_CREDENTIALS_FILE
 * (~/.aws/credentials) and AWS_CONFIG_FILE (~/.aws/config), and which is its
 * own: AWS_PROFILE, AWS_DEFAULT_PROFILE, or "default".  Private to auth/.
 */
#ifndef DATASETFS_AUTH_PROFILE_FILES_H
#define DATASETFS_AUTH_PROFILE_FILES_H

#include "backends/auth/profile.h"

struct profile_files {
	char *paths[PROFILE_FILES];
	char *name;		/* of this process's profile */
	bool is_chosen;		/* by a variable: it must be there */
};
/* *out need not be zeroed. */
int profile_files_choose(struct profile_files *out, struct err *err) MUST_CHECK;
void profile_files_release(struct profile_files *files);

/*
 * A profile as both files have it: a setting of the credentials file counts
 * before the other's; keys are one file's, never half from each, and *keys_in
 * says whose (PROFILE_FILES: there are none).  *out must be zeroed; release it
 * in any case.  A file or a profile that is not there is no failure.
 */
int profile_files_merge(const struct profile_files *files, const char *name,
			struct profile *out, enum profile_file *keys_in,
			struct err *err) MUST_CHECK;

#endif
