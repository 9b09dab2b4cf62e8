/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/log.h"
#include "backends/base/clock.h"

#include <string.h>
#include <criterion/criterion.h>

static int64_t now_ms = 1000;

static int64_t fake_ms(void)
{
	return now_ms;
}

static int64_t fake_wall(void)
{
	return 1777723200;
}

/* What goes to stderr while fn runs. */
static const char *capture(void (*fn)(void))
{
	static char text[16384];
	int pipe_fds[2], saved = dup(STDERR_FILENO);
	size_t used = 0;

	cr_assert_eq(pipe(pipe_fds), 0);
	cr_assert_geq(dup2(pipe_fds[1], STDERR_FILENO), 0);
	close(pipe_fds[1]);
	fn();
	dup2(saved, STDERR_FILENO);
	close(saved);
	for (ssize_t n; (n = read(pipe_fds[0], text + used,
				  sizeof(text) - 1 - used)) > 0;)
		used += n;
	close(pipe_fds[0]);
	text[used] = '\0';
	return text;
}

static void set_up(void)
{
	clock_fake(fake_ms, fake_wall);
	log_init(LOG_TO_STDERR, LOG_LEVEL_INFO);
}

TestSuite(log, .init = set_up);

static void log_one(void)
{
	log_info("fetch", "read failed: bucket=%s n=%d", "b", 7);
}

Test(log, a_line_has_time_level_component_and_text)
{
	cr_expect_str_eq(capture(log_one), "2026-05-02T12:00:00Z info fetch: "
					   "read failed: bucket=b n=7\n");
}

static void log_levels(void)
{
	log_debug("x", "hidden");
	log_set_level(LOG_LEVEL_ERROR);
	log_warn("x", "hidden too");
	log_error("x", "shown");
}

Test(log, only_what_is_at_least_as_grave_as_the_level_is_written)
{
	const char *text = capture(log_levels);

	cr_expect_null(strstr(text, "hidden"));
	cr_expect_not_null(strstr(text, "error x: shown\n"));
	cr_expect(log_enabled(LOG_LEVEL_ERROR));
	cr_expect(!log_enabled(LOG_LEVEL_INFO));
}

static void log_hostile(void)
{
	log_warn("x", "key=\"%s\"", "a\nfake line\r\x1b[31m\xff");
}

Test(log, one_event_is_one_line_whatever_is_in_it)
{
	const char *text = capture(log_hostile);

	cr_expect_eq(strchr(text, '\n'), text + strlen(text) - 1);
	cr_expect_null(strchr(text, '\x1b'));
	cr_expect_null(strchr(text, '\r'));
	cr_expect_null(strchr(text, '\xff'));
	cr_expect_not_null(strstr(text, "\\x0afake"));
}

static void log_long(void)
{
	char text[10000];

	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_warn("x", "%s", text);
}

Test(log, a_long_line_is_cut_and_ends_in_dots)
{
	const char *text = capture(log_long);

	cr_expect_lt(strlen(text), 9000);
	cr_expect_str_eq(text + strlen(text) - 4, "...\n");
}

static void log_problems(void)
{
	log_error("a", "first");
	log_warn("b", "second");
	log_info("c", "no problem");
}

Test(log, the_last_problem_is_remembered_for_status)
{
	char text[256], small[8];

	log_last_problem(text, sizeof(text));
	cr_expect_str_eq(text, "");
	(void)capture(log_problems);
	cr_expect_eq(log_last_problem(text, sizeof(text)), 1777723200);
	cr_expect_str_eq(text, "b: second");
	log_last_problem(small, sizeof(small));
	cr_expect_str_eq(small, "b: seco");
}

Test(log, a_problem_below_the_level_is_remembered_too)
{
	char text[256];

	(void)capture(log_levels);
	log_set_level(LOG_LEVEL_ERROR);
	log_warn("b", "quiet");
	log_last_problem(text, sizeof(text));
	cr_expect_str_eq(text, "b: quiet");
}

Test(log, a_limit_counts_what_it_drops_and_tells_it_once)
{
	struct log_limit limit = { 0 };
	unsigned dropped = 99;

	for (int i = 0; i < LOG_BURST; i++) {
		cr_expect(log_limit_ok(&limit, &dropped));
		cr_expect_eq(dropped, 0);
	}
	for (int i = 0; i < 5; i++)
		cr_expect(!log_limit_ok(&limit, &dropped));
	now_ms += 59999;
	cr_expect(!log_limit_ok(&limit, NULL));
	now_ms += 1;
	cr_expect(log_limit_ok(&limit, &dropped));
	cr_expect_eq(dropped, 6);
	cr_expect(log_limit_ok(&limit, &dropped));
	cr_expect_eq(dropped, 0);
}
