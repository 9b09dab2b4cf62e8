/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What "osmo login" has left: login.yaml beside OSMO's client file, with the
 * service's url and either a token or, of a development installation, a name.
 */
#ifndef DATASETFS_CONFIG_CLIENT_LOGIN_H
#define DATASETFS_CONFIG_CLIENT_LOGIN_H

#include "backends/base/err.h"

/*
 * Where OSMO's client keeps a file of that name: $OSMO_CONFIG_FILE_DIR, else
 * $XDG_CONFIG_HOME/osmo, else ~/.config/osmo; "" where none of them is set.
 * The caller frees; NULL: no memory.
 */
char *client_file_path(const char *name, struct err *err) MUST_CHECK;

struct client_login {
	char *path;	/* of the file */
	char *token;	/* secret: wiped on release; NULL: none */
	char *user;	/* NULL: none */
};
void client_login_release(struct client_login *login);
#define cleanup_client_login __attribute__((cleanup(client_login_release)))

/*
 * The login of exactly that service (scheme, host, port); all NULL where there
 * is none.  ERR_USAGE with the position for a file that is no YAML.  *out must
 * be zeroed.
 */
int client_login_find(struct client_login *out, const char *url,
		      struct err *err) MUST_CHECK;

#endif
