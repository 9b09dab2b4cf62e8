/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over its checked-in corpus, without libFuzzer and with
 * any compiler: part of "make check".  The program's name, fuzz_X, gives the
 * folder, tests/fuzz/corpus/X; files as arguments are run in its place.
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"
#include "tests/tap.h"

#include <dirent.h>
#include <sys/stat.h>

/*
 * The bytes in an allocation of exactly their size, so that a sanitizer sees
 * the first byte read beyond them.
 */
static int replay_one(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t got;

	if (!file || fstat(fileno(file), &st) < 0 || !S_ISREG(st.st_mode)) {
		printf("# %s: cannot be read\n", path);
		if (file)
			fclose(file);
		return -1;
	}
	data = malloc(st.st_size ? st.st_size : 1);
	if (!data)
		abort();
	got = fread(data, 1, st.st_size, file);
	fclose(file);

	/* Before the run: the last such line names the input of a crash. */
	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, got);
	free(data);
	return got == (size_t)st.st_size ? 0 : -1;
}

static int ordinary_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void replay_folder(const char *folder, const char *name)
{
	struct dirent **entries;
	char path[4096];
	int n_entries = scandir(folder, &entries, ordinary_name, alphasort);
	int n_done = 0;

	for (int i = 0; i < n_entries; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder,
			 entries[i]->d_name);
		n_done += replay_one(path) == 0;
		free(entries[i]);
	}
	if (n_entries >= 0)
		free(entries);
	tap_ok(n_entries > 0 && n_done == n_entries,
	       "%s: the %d inputs of its corpus keep every property", name,
	       n_done);
}

int main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir");
	const char *name = strrchr(argv[0], '/');
	char folder[2048];

	name = name ? name + 1 : argv[0];
	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			tap_ok(replay_one(argv[i]) == 0, "%s: %s", name,
			       argv[i]);
		return tap_done();
	}
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s",
		 top ? top : ".", name);
	replay_folder(folder, name);
	return tap_done();
}
