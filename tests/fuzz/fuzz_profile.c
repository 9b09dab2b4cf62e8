/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS shared files.  The first line, without "#", is the profile's name.
 * fuzz-covers: backends/auth/profile.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"
#include "backends/auth/profile.h"

/* A value is bytes of one line, without spaces around them. */
static void check_value(const char *value, const uint8_t *data, size_t size)
{
	size_t len;

	if (!value)
		return;
	len = strlen(value);
	FUZZ_CHECK(len > 0 && len <= PROFILE_LINE_MAX);
	FUZZ_CHECK(!strchr(value, '\n'));
	FUZZ_CHECK(value[0] != ' ' && value[len - 1] != ' ');
	FUZZ_CHECK(memmem(data, size, value, len));
}

static bool is_empty(const struct profile *profile)
{
	for (size_t i = 0; i < ARRAY_SIZE(profile->settings); i++)
		if (profile->settings[i])
			return false;
	return !profile->access_key_id && !profile->secret_key &&
	       !profile->session_token;
}

static void check(const uint8_t *data, size_t size, enum profile_file kind,
		  const char *name)
{
	cleanup_profile struct profile profile = { .is_present = false };
	struct err err = ERR_INIT;
	int r = profile_parse(&profile, (const char *)data, size, kind, name,
			      &err);

	check_value(profile.access_key_id, data, size);
	check_value(profile.secret_key, data, size);
	check_value(profile.session_token, data, size);
	for (size_t i = 0; i < ARRAY_SIZE(profile.settings); i++)
		check_value(profile.settings[i], data, size);
	if (r == 0) {
		FUZZ_CHECK(profile.is_present || is_empty(&profile));
		return;
	}
	FUZZ_CHECK(err.class == ERR_USAGE && !strncmp(err.text, "line ", 5));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	size_t used = end ? (size_t)(end - data) + 1 : 0;
	char *name = used > 2 ? fuzz_string(data + 1, used - 2) :
				fuzz_string((const uint8_t *)"default", 7);

	check(data + used, size - used, PROFILE_CREDENTIALS, name);
	check(data + used, size - used, PROFILE_CONFIG, name);
	free(name);
	return 0;
}
