/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/import_service.h"

#include <errno.h>
#include <string.h>

#include "backends/base/io.h"
#include "fs/cli/progress.h"
#include "fs/config/client_login.h"
#include "fs/dataset/import/import_rest.h"

#define TOKEN_BYTES_MAX ((size_t)64 << 10)
#define REQUEST_TIMEOUT_MS 30000

bool import_service_is_url(const char *source)
{
	return strncmp(source, "http://", 7) == 0 ||
	       strncmp(source, "https://", 8) == 0;
}

/* One line; the white space around it is no part of it. */
static int read_token(const char *path, struct client_login *login,
		      struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	size_t first, len;
	int r = io_read_file(path, TOKEN_BYTES_MAX, &text, err);

	if (r == 0 && text.data) {
		first = strspn(text.data, " \t\r\n");
		len = strcspn(text.data + first, " \t\r\n");
		login->token = strndup(text.data + first, len);
		r = login->token ? 0 : err_nomem(err);
	}
	if (text.data)
		explicit_bzero(text.data, text.cap);
	if (r == 0 && (!login->token || !*login->token))
		r = err_set(err, ERR_AUTH, EACCES, "%s holds no token", path);
	return r;
}

static int find_login(struct client_login *login, const char *url,
		      const struct import_service *service, struct err *err)
{
	if (service->token_file)
		return read_token(service->token_file, login, err);
	if (service->user)
		return 0;
	return client_login_find(login, url, err);
}

static void tell(void *arg, size_t done, size_t all)
{
	struct progress *progress = arg;
	cleanup_buf struct buf line = BUF_INIT;

	if (!progress_is_due(progress))
		return;
	buf_printf(&line, "%zu of %zu datasets", done, all);
	if (!buf_failed(&line))
		progress_show(progress, line.data);
}

int import_service_read(struct cli *cli, struct import_source *src,
			const char *url, const struct import_service *service,
			struct err *err)
{
	cleanup_client_login struct client_login login = { .path = NULL };
	const struct http_options http = {
		.user_agent = "datasetfs/" PACKAGE_VERSION,
		.ca_file = cli->settings->ca_file,
	};
	struct progress progress;
	struct http_engine *engine;
	struct import_rest_options opt = {
		.url = url,
		.bucket = service->bucket,
		.timeout_ms = REQUEST_TIMEOUT_MS,
		.tell = tell,
		.arg = &progress,
	};
	int r = find_login(&login, url, service, err);

	if (r < 0)
		return r;
	opt.token = login.token;
	opt.user = service->user ? service->user : login.user;
	r = http_engine_new(&engine, &http, err);
	if (r < 0)
		return r;
	progress_begin(&progress);
	r = import_rest_read(src, engine, &opt, err);
	progress_end(&progress);
	http_engine_free(engine);
	return r;
}
