/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/profile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static int parse(struct profile *out, enum profile_file kind, const char *name,
		 const char *text, struct err *err)
{
	memset(out, 0, sizeof(*out));
	return profile_parse(out, text, strlen(text), kind, name, err);
}

static bool is(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* id NULL: the section is not there, or has none. */
static void expect(enum profile_file kind, const char *name, const char *text,
		   const char *id, const char *secret, const char *token)
{
	cleanup_profile struct profile p;
	struct err err = ERR_INIT;

	cr_assert(parse(&p, kind, name, text, &err) == 0, "%s", err.text);
	cr_expect(is(p.access_key_id, id), "%s: %s", text, p.access_key_id);
	cr_expect(is(p.secret_key, secret), "%s: %s", text, p.secret_key);
	cr_expect(is(p.session_token, token), "%s: %s", text, p.session_token);
}

Test(profile, the_section_of_that_name_is_read_and_no_other)
{
	static const char text[] = "[a]\naws_access_key_id = A\n"
				   "aws_secret_access_key = SA\n"
				   "[default]\naws_access_key_id=D\n"
				   "aws_secret_access_key=SD\n"
				   "aws_session_token=TD\n"
				   "[ab]\naws_access_key_id = AB\n";

	expect(PROFILE_CREDENTIALS, "a", text, "A", "SA", NULL);
	expect(PROFILE_CREDENTIALS, "default", text, "D", "SD", "TD");
	expect(PROFILE_CREDENTIALS, "ab", text, "AB", NULL, NULL);
	expect(PROFILE_CREDENTIALS, "b", text, NULL, NULL, NULL);
	expect(PROFILE_CREDENTIALS, "A", text, NULL, NULL, NULL);
	expect(PROFILE_CREDENTIALS, "", text, NULL, NULL, NULL);
}

Test(profile, config_names_its_sections_profile_but_for_the_default)
{
	static const char text[] = "[default]\naws_access_key_id = D\n"
				   "[a]\naws_access_key_id = BARE\n"
				   "[profile a]\naws_access_key_id = A\n"
				   "[profile  \"b c\" ]\n"
				   "aws_access_key_id = BC\n"
				   "[profilex]\naws_access_key_id = X\n";

	expect(PROFILE_CONFIG, "default", text, "D", NULL, NULL);
	expect(PROFILE_CONFIG, "a", text, "A", NULL, NULL);
	expect(PROFILE_CONFIG, "b c", text, "BC", NULL, NULL);
	expect(PROFILE_CONFIG, "x", text, NULL, NULL, NULL);
	expect(PROFILE_CREDENTIALS, "profile a", text, "A", NULL, NULL);
}

Test(profile, spaces_line_ends_comments_and_case_do_not_matter)
{
	expect(PROFILE_CREDENTIALS, "default",
	       "\xef\xbb\xbf# comment\r\n; another\r\n\r\n[ default ]\r\n"
	       "AWS_Access_Key_ID\t=\t A \r\naws_secret_access_key=S=/+#;==\r\n"
	       "#aws_session_token=no\r\n",
	       "A", "S=/+#;==", NULL);
	/* No newline at the end. */
	expect(PROFILE_CREDENTIALS, "default",
	       "[default]\naws_access_key_id=A", "A", NULL, NULL);
}

Test(profile, the_last_setting_wins_and_an_empty_one_unsets)
{
	expect(PROFILE_CREDENTIALS, "d",
	       "[d]\naws_access_key_id=A\naws_access_key_id=B\n"
	       "aws_session_token=T\naws_session_token=\n"
	       "[x]\n[d]\naws_secret_access_key=S\n",
	       "B", "S", NULL);
}

Test(profile, nested_settings_are_passed_over)
{
	expect(PROFILE_CONFIG, "default",
	       "[default]\naws_access_key_id=A\ns3 =\n"
	       "  aws_access_key_id = NESTED\n\taddressing_style = path\n"
	       "  no equals sign\n"
	       "aws_secret_access_key = S\n",
	       "A", "S", NULL);
}

Test(profile, other_kinds_of_identity_are_named)
{
	cleanup_profile struct profile p;
	struct err err = ERR_INIT;

	cr_assert(parse(&p, PROFILE_CONFIG, "default",
			"[default]\nregion=x\nrole_arn = arn:x\n", &err) == 0);
	cr_assert(p.is_present && is(p.settings[PROFILE_ROLE_ARN], "arn:x"));
	profile_release(&p);
	cr_assert(parse(&p, PROFILE_CONFIG, "default",
			"[profile a]\nrole_arn = arn:x\n[default]\n",
			&err) == 0);
	cr_assert(p.is_present && !p.settings[PROFILE_ROLE_ARN]);
}

Test(profile, what_is_no_such_file_is_refused_by_line_and_not_quoted)
{
	static const struct {
		const char *text;
		const char *line;
	} cases[] = {
		{ "[default\n", "line 1:" },
		{ "[default]\naws_access_key_id SECRET\n", "line 2:" },
		{ "SECRET = x\n", "line 1:" },
		{ "[default]\n\n= SECRET\n", "line 3:" },
		{ "{\"SECRET\": 1}\n", "line 1:" },
	};
	struct err err = ERR_INIT;
	struct profile p;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = parse(&p, PROFILE_CREDENTIALS, "default",
			      cases[i].text, &err);

		cr_expect(r == -EINVAL && err.class == ERR_USAGE, "%s",
			  cases[i].text);
		cr_expect(strstr(err.text, cases[i].line), "%s", err.text);
		cr_expect(!strstr(err.text, "SECRET"), "%s", err.text);
		profile_release(&p);
	}
}

Test(profile, a_nul_and_an_endless_line_are_refused)
{
	static char line[PROFILE_LINE_MAX + 64] = "[default]\nx=";
	struct err err = ERR_INIT;
	struct profile p = { 0 };

	cr_assert(profile_parse(&p, "[default]\na=b\0c\n", 16,
				PROFILE_CREDENTIALS, "default",
				&err) == -EINVAL);
	profile_release(&p);
	memset(line + strlen(line), 'x', sizeof(line) - strlen(line));
	cr_assert(profile_parse(&p, line, sizeof(line), PROFILE_CREDENTIALS,
				"default", &err) == -EINVAL);
	profile_release(&p);
}
