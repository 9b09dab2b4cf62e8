/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/cred.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "backends/base/clock.h"

static char home[] = "/tmp/cred_files_test.XXXXXX";
static int64_t now_ms = 1000000;

static int64_t fake_ms(void)
{
	return now_ms;
}

static int64_t fake_wall_s(void)
{
	return 1700000000;
}

static void write_at(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static const char *in_home(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", home, name);
	return path;
}

static void set_up(void)
{
	static const char *const names[] = {
		"AWS_PROFILE",	   "AWS_DEFAULT_PROFILE",
		"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
	cr_assert(mkdtemp(home));
	setenv("HOME", home, 1);
	cr_assert(mkdir(in_home(".aws"), 0700) == 0);
	clock_fake(fake_ms, fake_wall_s);
}

static void tear_down(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", home);
	cr_assert(system(command) == 0);
}

static struct cred_source *open_files(void)
{
	struct cred_source *src;
	struct err err = ERR_INIT;

	cr_assert(cred_source_shared_files(&src, &err) == 0, "%s", err.text);
	return src;
}

/* Returns the generation; id NULL: none. */
static uint64_t expect(struct cred_source *src, const char *id,
		       const char *secret)
{
	struct err err = ERR_INIT;
	struct cred cred;
	uint64_t generation;
	int r = cred_source_get(src, &cred, &err);

	if (!id) {
		cr_assert(r == -EACCES && err.class == ERR_AUTH, "%d", r);
		return 0;
	}
	cr_assert(r == 0, "%s", err.text);
	cr_assert(!strcmp(cred.access_key_id, id), "%s", cred.access_key_id);
	cr_assert(!strcmp(cred.secret_key, secret));
	generation = cred.generation;
	cred_release(&cred);
	return generation;
}

#define KEYS(id, secret)                                                       \
	"aws_access_key_id=" id "\naws_secret_access_key=" secret "\n"

TestSuite(cred_files, .init = set_up, .fini = tear_down);

Test(cred_files, credentials_come_before_config)
{
	struct cred_source *src;

	write_at(in_home(".aws/config"), "[default]\n" KEYS("C", "SC"));
	src = open_files();
	cr_assert(!strcmp(cred_source_name(src), "profile default"));
	expect(src, "C", "SC");
	cred_source_put_ref(src);

	write_at(in_home(".aws/credentials"), "[default]\n" KEYS("A", "SA"));
	src = open_files();
	expect(src, "A", "SA");
	cred_source_put_ref(src);
}

Test(cred_files, nothing_there_is_none)
{
	struct cred_source *src = open_files();
	struct err err = ERR_INIT;
	struct cred cred;

	cr_assert(cred_source_get(src, &cred, &err) == -EACCES);
	cr_assert(strstr(err.text, ".aws/credentials"), "%s", err.text);
	cred_source_put_ref(src);
}

Test(cred_files, the_environment_names_files_and_profile)
{
	struct cred_source *src;

	write_at(in_home("c"), "[default]\n" KEYS("D", "SD") "[p]\n" KEYS(
					     "P", "SP"));
	write_at(in_home("d"), "[profile q]\n" KEYS("Q", "SQ"));
	setenv("AWS_SHARED_CREDENTIALS_FILE", "~/c", 1);
	setenv("AWS_CONFIG_FILE", in_home("d"), 1);

	setenv("AWS_PROFILE", "p", 1);
	src = open_files();
	cr_assert(!strcmp(cred_source_name(src), "profile p"));
	expect(src, "P", "SP");
	cred_source_put_ref(src);

	setenv("AWS_PROFILE", "q", 1);
	src = open_files();
	expect(src, "Q", "SQ");
	cred_source_put_ref(src);

	unsetenv("AWS_PROFILE");
	src = open_files();
	expect(src, "D", "SD");
	cred_source_put_ref(src);
}

/* Whether a chain of the files and anonymous would ask unsigned. */
static bool is_unsigned(void)
{
	struct cred_source *chain[2] = { open_files() };
	struct cred_source *src;
	struct err err = ERR_INIT;
	struct cred cred;
	bool anonymous;
	int r;

	cr_assert(cred_source_anonymous(&chain[1], &err) == 0);
	cr_assert(cred_source_chain(&src, chain, 2, &err) == 0);
	r = cred_source_get(src, &cred, &err);
	anonymous = r == 0 && cred.kind == CRED_ANONYMOUS;
	cr_assert(r == 0 || (r == -EACCES && err.class == ERR_AUTH &&
			     err.code == EACCES));
	if (r < 0)
		cr_assert(!strstr(err.text, "S3CR3T"), "%s", err.text);
	else
		cred_release(&cred);
	cred_source_put_ref(src);
	return anonymous;
}

Test(cred_files, a_mistake_is_never_a_reason_to_ask_unsigned)
{
	static const char *const broken[] = {
		"[default]\naws_access_key_id=A\n",
		"[default]\naws_secret_access_key=S3CR3T\n",
		"[default]\n" KEYS("A", "S3CR3T \x01"),
		"[default]\nsso_session=x\n",
		"[default\n" KEYS("A", "S3CR3T"),
		"S3CR3T\n",
	};

	cr_assert(is_unsigned());
	write_at(in_home(".aws/credentials"), "[other]\n" KEYS("A", "B"));
	cr_assert(is_unsigned());
	write_at(in_home(".aws/credentials"), "[default]\nregion=x\n");
	cr_assert(is_unsigned());
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		write_at(in_home(".aws/credentials"), broken[i]);
		cr_assert(!is_unsigned(), "%s", broken[i]);
	}
	write_at(in_home(".aws/credentials"), "");
	cr_assert(is_unsigned());
	setenv("AWS_PROFILE", "nobody", 1);
	cr_assert(!is_unsigned());
}

Test(cred_files, a_file_that_cannot_be_read_is_no_empty_one)
{
	static char big[(256 << 10) + 2];

	cr_assert(mkdir(in_home(".aws/credentials"), 0700) == 0);
	cr_assert(!is_unsigned());
	cr_assert(rmdir(in_home(".aws/credentials")) == 0);

	cr_assert(mkfifo(in_home(".aws/credentials"), 0600) == 0);
	cr_assert(!is_unsigned());
	cr_assert(unlink(in_home(".aws/credentials")) == 0);

	memset(big, '\n', sizeof(big) - 1);
	write_at(in_home(".aws/credentials"), big);
	cr_assert(!is_unsigned());
}

Test(cred_files, a_change_is_seen_within_a_second)
{
	struct cred_source *src;
	uint64_t first;
	uint64_t second;

	write_at(in_home(".aws/credentials"), "[default]\n" KEYS("A", "SA"));
	src = open_files();
	first = expect(src, "A", "SA");
	write_at(in_home(".aws/credentials"), "[default]\n" KEYS("B", "SBB"));
	cr_assert(expect(src, "A", "SA") == first);
	now_ms += 1000;
	second = expect(src, "B", "SBB");
	cr_assert(second != first);

	/* The same content in another file is the same credential. */
	cr_assert(unlink(in_home(".aws/credentials")) == 0);
	write_at(in_home(".aws/credentials"),
		 "# new\n[default]\n" KEYS("B", "SBB"));
	now_ms += 1000;
	cr_assert(expect(src, "B", "SBB") == second);
	cred_source_put_ref(src);
}

Test(cred_files, a_refusal_makes_it_look_at_once)
{
	struct cred_source *src;
	uint64_t first;

	write_at(in_home(".aws/credentials"), "[default]\n" KEYS("A", "SA"));
	src = open_files();
	first = expect(src, "A", "SA");
	write_at(in_home(".aws/credentials"), "[default]\n" KEYS("B", "SB"));

	/* Of one that is not ours any more: no reason. */
	cred_source_refused(src, first + 1000);
	expect(src, "A", "SA");
	cred_source_refused(src, first);
	cr_assert(expect(src, "B", "SB") != first);
	cred_source_put_ref(src);
}

Test(cred_files, a_file_that_is_being_written_keeps_the_old_one)
{
	static const char *const halves[] = {
		"",
		"[default]\naws_acc",
		"[default]\naws_access_key_id=B\n",
	};
	struct cred_source *src;
	uint64_t first;

	write_at(in_home(".aws/credentials"), "[default]\n" KEYS("A", "SA"));
	src = open_files();
	first = expect(src, "A", "SA");
	for (size_t i = 0; i < ARRAY_SIZE(halves); i++) {
		write_at(in_home(".aws/credentials"), halves[i]);
		now_ms += 1000;
		cr_assert(expect(src, "A", "SA") == first, "%s", halves[i]);
	}

	/* Taken away it is gone, at the second look. */
	cr_assert(unlink(in_home(".aws/credentials")) == 0);
	now_ms += 1000;
	cr_assert(expect(src, "A", "SA") == first);
	now_ms += 1000;
	expect(src, NULL, NULL);

	write_at(in_home(".aws/credentials"), "[default]\n" KEYS("A", "SA"));
	now_ms += 1000;
	cr_assert(expect(src, "A", "SA") != first);
	cred_source_put_ref(src);
}
