/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/osmo/osmo_etag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/encode.h"

/* false for anything but a decimal from 1 to UINT32_MAX */
static bool parse_parts(uint32_t *out, const char *p, const char *end)
{
	uint64_t v = 0;

	if (p == end || *p == '0')
		return false;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > UINT32_MAX)
			return false;
	}
	*out = (uint32_t)v;
	return true;
}

bool osmo_etag_parse(struct osmo_etag *out, const char *text, size_t len)
{
	const size_t digits = 2 * MD5_SIZE;

	if (len < digits || decode_hex(out->md5, MD5_SIZE, text, digits) < 0)
		return false;
	out->parts = 0;
	if (len > digits &&
	    (text[digits] != '-' ||
	     !parse_parts(&out->parts, text + digits + 1, text + len)))
		return false;
	out->is_canonical = true;
	for (size_t i = 0; i < digits; i++)
		if (text[i] >= 'A' && text[i] <= 'F')
			out->is_canonical = false;
	return true;
}

void osmo_etag_format(char out[OSMO_ETAG_TEXT_MAX], const uint8_t md5[MD5_SIZE],
		      uint32_t parts)
{
	encode_hex(out, md5, MD5_SIZE);
	if (parts)
		snprintf(out + 2 * MD5_SIZE,
			 OSMO_ETAG_TEXT_MAX - 2 * MD5_SIZE, "-%u", parts);
}

const char *osmo_etag_of(const struct object_info *info)
{
	struct osmo_etag parsed;

	return osmo_etag_parse(&parsed, info->etag, strlen(info->etag)) ?
		       info->etag :
		       object_validator(info);
}

bool osmo_etag_fits(uint32_t parts, uint64_t size)
{
	if (size <= OSMO_PART)
		return parts == 0;
	return parts == (size - 1) / OSMO_PART + 1;
}

struct osmo_etag_sum {
	struct digest *part, *all;
	uint64_t part_size;
	uint64_t in_part;
	uint32_t parts;		/* that are finished */
};

struct osmo_etag_sum *osmo_etag_sum_new(uint64_t part_size)
{
	struct osmo_etag_sum *sum = calloc(1, sizeof(*sum));

	if (!sum)
		return NULL;
	sum->part = digest_new(DIGEST_MD5);
	sum->all = digest_new(DIGEST_MD5);
	sum->part_size = part_size;
	return sum;
}

void osmo_etag_sum_free(struct osmo_etag_sum *sum)
{
	if (!sum)
		return;
	digest_free(sum->part);
	digest_free(sum->all);
	free(sum);
}

static void part_end(struct osmo_etag_sum *sum)
{
	uint8_t md5[MD5_SIZE];

	digest_finish(sum->part, md5);
	digest_add(sum->all, md5, sizeof(md5));
	sum->in_part = 0;
	sum->parts++;
}

void osmo_etag_sum_add(struct osmo_etag_sum *sum, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len) {
		uint64_t room = sum->part_size - sum->in_part;
		size_t n = len < room ? len : (size_t)room;

		if (room == 0) {	/* only now is it known to go on */
			part_end(sum);
			continue;
		}
		digest_add(sum->part, p, n);
		sum->in_part += n;
		p += n;
		len -= n;
	}
}

void osmo_etag_sum_finish(struct osmo_etag_sum *sum, struct osmo_etag *out)
{
	memset(out, 0, sizeof(*out));
	out->is_canonical = true;
	if (sum->parts == 0) {
		digest_finish(sum->part, out->md5);
	} else {
		part_end(sum);
		out->parts = sum->parts;
		digest_finish(sum->all, out->md5);
	}
	sum->parts = 0;
	sum->in_part = 0;
}
