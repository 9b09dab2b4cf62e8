/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "fs/dataset/import/import_impl.h"

const char *import_action_name(enum import_action action)
{
	static const char *const names[] = {
		[IMPORT_ADDED] = "added",
		[IMPORT_UPDATED] = "updated",
		[IMPORT_UNCHANGED] = "unchanged",
		[IMPORT_SKIPPED] = "skipped",
		[IMPORT_REFUSED] = "refused",
	};

	return names[action];
}

/* --- report ----------------------------------------------------------- */

int import_report_add(struct import_report *report, enum import_action action,
		      const struct import_dataset *ds, uint32_t version,
		      struct err *err, const char *fmt, ...)
{
	struct import_line line = {
		.action = action,
		.dataset = ds->name,
		.id = ds->id,
		.is_collection = ds->is_collection,
		.version = version,
	};
	va_list ap;
	int r;

	/* Room doubles whenever the count is a power of two. */
	if ((report->n_lines & (report->n_lines - 1)) == 0) {
		size_t cap = report->n_lines ? report->n_lines * 2 : 1;
		struct import_line *at;

		at = reallocarray(report->lines, cap, sizeof(*at));
		if (!at)
			return err_nomem(err);
		report->lines = at;
	}
	va_start(ap, fmt);
	r = vasprintf(&line.text, fmt, ap);
	va_end(ap);
	if (r < 0)
		return err_nomem(err);
	report->lines[report->n_lines++] = line;
	if (version)
		report->versions[action]++;
	else
		report->datasets[action]++;
	return 0;
}

void import_report_release(struct import_report *report)
{
	for (size_t i = 0; i < report->n_lines; i++)
		free(report->lines[i].text);
	free(report->lines);
	memset(report, 0, sizeof(*report));
}

static int line_compare(const void *a, const void *b)
{
	const struct import_line *x = a, *y = b;
	int order = strcmp(x->dataset, y->dataset);

	if (order == 0)
		order = strcmp(x->id, y->id);
	return order ? order : (x->version > y->version) -
			       (x->version < y->version);
}

static void print_counts(struct buf *out, const char *noun,
			 const size_t counts[IMPORT_ACTIONS])
{
	const char *gap = ": ";
	size_t n = 0;

	for (int i = 0; i < IMPORT_ACTIONS; i++)
		n += counts[i];
	buf_printf(out, "%zu %s%s", n, noun, n == 1 ? "" : "s");
	for (int i = 0; i < IMPORT_ACTIONS; i++) {
		if (counts[i] == 0)
			continue;
		buf_printf(out, "%s%zu %s", gap, counts[i],
			   import_action_name((enum import_action)i));
		gap = ", ";
	}
}

static void print_sums(const struct import_report *report, struct buf *out)
{
	print_counts(out, "dataset", report->datasets);
	buf_str(out, "; ");
	print_counts(out, "version", report->versions);
	if (report->n_other_buckets > 0)
		buf_printf(out, "; %zu of other buckets not taken",
			   report->n_other_buckets);
	buf_char(out, '\n');
	if (report->datasets[IMPORT_REFUSED] + report->versions[IMPORT_REFUSED])
		buf_str(out, "Nothing was changed, as something was refused.\n");
	else if (report->is_dry_run)
		buf_str(out, "Nothing was changed: this was a dry run.\n");
}

void import_report_print(const struct import_report *report, bool verbose,
			 struct buf *out)
{
	for (size_t i = 0; i < report->n_lines; i++) {
		const struct import_line *line = &report->lines[i];

		if (line->action == IMPORT_UNCHANGED && !verbose)
			continue;
		buf_printf(out, "%-9s  %s", import_action_name(line->action),
			   line->dataset);
		if (line->version)
			buf_printf(out, ":%u", line->version);
		else if (line->is_collection)
			buf_str(out, " (collection)");
		if (*line->text)
			buf_printf(out, "  %s", line->text);
		buf_char(out, '\n');
	}
	print_sums(report, out);
}

/* --- applying ---------------------------------------------------------- */

static bool has_work(const struct import *im)
{
	const struct import_report *report = im->report;

	for (size_t i = 0; i < im->n_plans; i++)
		if (!im->plans[i].is_left_alone && (im->plans[i].needs_name ||
						    im->plans[i].rename_from))
			return true;
	return report->datasets[IMPORT_ADDED] > 0 ||
	       report->datasets[IMPORT_UPDATED] > 0 ||
	       report->versions[IMPORT_ADDED] > 0;
}

static void import_release(struct import *im)
{
	for (size_t i = 0; i < im->n_plans; i++) {
		free(im->plans[i].rename_from);
		free(im->plans[i].versions);
	}
	free(im->plans);
}

#define BUCKETS_SHOWN 5

/* A wrong name would else look like a success that does nothing. */
static int check_bucket(const struct import *im, struct err *err)
{
	cleanup_buf struct buf names = BUF_INIT;
	const struct import_source *src = im->src;
	const char *shown[BUCKETS_SHOWN] = { NULL };
	size_t n = 0;

	if (im->n_plans > 0 || im->report->n_other_buckets == 0)
		return 0;
	for (size_t i = 0; i < src->n_datasets && n < BUCKETS_SHOWN; i++) {
		const char *name = src->datasets[i].bucket;
		bool is_new = src->datasets[i].name && name && *name;

		for (size_t k = 0; k < n && is_new; k++)
			is_new = strcmp(shown[k], name) != 0;
		if (!is_new)
			continue;
		shown[n++] = name;
		if (names.len > 0)
			buf_str(&names, ", ");
		encode_printable(&names, name, strlen(name), 80);
	}
	if (buf_failed(&names))
		return err_nomem(err);
	return err_set(err, ERR_MISSING, ENOENT,
		       "the source has no dataset of bucket %s, only of %s%s",
		       im->opt->bucket, names.data ? names.data : "none",
		       n == BUCKETS_SHOWN ? " and perhaps more" : "");
}

int import_apply(struct catalog_store *store, const struct import_source *src,
		 const struct import_options *opt,
		 struct import_report *report, struct err *err)
{
	struct import im = {
		.store = store,
		.src = src,
		.opt = opt,
		.report = report,
	};
	cleanup_catalog struct catalog *now = NULL;
	size_t n_refused;
	int r;

	report->is_dry_run = opt->dry_run;
	r = catalog_store_load(store, &now, import_deadline(&im), err);
	if (r == 0)
		r = import_plan(&im, err);
	if (r == 0)
		r = check_bucket(&im, err);
	if (report->n_lines > 0)
		qsort(report->lines, report->n_lines, sizeof(*report->lines),
		      line_compare);
	n_refused = report->datasets[IMPORT_REFUSED] +
		    report->versions[IMPORT_REFUSED];
	if (r == 0 && n_refused > 0)
		r = err_set(err, ERR_CONFLICT, EEXIST,
			    "%zu refused, so nothing was changed", n_refused);
	if (r == 0 && !opt->dry_run && has_work(&im))
		r = import_write(&im, err);
	import_release(&im);
	return r;
}
