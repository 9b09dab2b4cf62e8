/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A push-down machine over bytes.  Whatever it must remember between two feeds
 * stands in struct osmo_manifest; inside a feed, strings without escapes are
 * handed on where they lie.
 */
#include <config.h>

#include "fs/dataset/osmo/osmo_manifest_impl.h"

#include <errno.h>
#include <string.h>

#define SIZE_LIMIT ((uint64_t)1 << 53)	/* exact in every JSON writer */
#define SPACES 0x2020202020202020ull
#define ENTRY_DEPTH 2			/* array, object */
#define LEVELS_MAX (ENTRY_DEPTH + OSMO_DEPTH_MAX)

static const struct {
	const char *name;
	size_t len;
} field_names[] = {
	[FIELD_PATH] = { "relative_path", 13 },
	[FIELD_STORAGE] = { "storage_path", 12 },
	[FIELD_ETAG] = { "etag", 4 },
	[FIELD_SIZE] = { "size", 4 },
	[FIELD_URL] = { "url", 3 },
};

int osmo_manifest_new(struct osmo_manifest **out, osmo_entry_fn each, void *arg,
		      struct err *err)
{
	struct osmo_manifest *m = calloc(1, sizeof(*m));

	if (!m)
		return err_nomem(err);
	m->each = each;
	m->arg = arg;
	*out = m;
	return 0;
}

void osmo_manifest_free(struct osmo_manifest *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < FIELD_STRINGS; i++)
		buf_release(&m->text[i].own);
	buf_release(&m->key.own);
	free(m);
}

static uint64_t offset_at(const struct osmo_manifest *m, const uint8_t *at)
{
	return m->feed_offset + (uint64_t)(at - m->feed);
}

int osmo_corrupt_offset(const struct osmo_manifest *m, uint64_t offset,
			const char *why, struct err *err)
{
	return err_set(err, ERR_CORRUPT, EBADMSG,
		       "manifest entry %llu, byte %llu: %s",
		       (unsigned long long)m->number,
		       (unsigned long long)offset, why);
}

int osmo_corrupt(const struct osmo_manifest *m, const uint8_t *at,
		 const char *why, struct err *err)
{
	return osmo_corrupt_offset(m, offset_at(m, at), why, err);
}

static enum field field_of(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(field_names); i++)
		if (len == field_names[i].len &&
		    memcmp(name, field_names[i].name, len) == 0)
			return (enum field)i;
	return FIELD_OTHER;
}

int osmo_key_end(struct osmo_manifest *m, struct err *err)
{
	m->state = ST_COLON;
	m->field = FIELD_OTHER;
	if (m->depth != ENTRY_DEPTH)
		return 0;
	m->field = field_of(m->key.p, m->key.len);
	if (m->field == FIELD_OTHER)
		return 0;
	if (m->seen & (1u << m->field))
		return osmo_corrupt_offset(m, m->string_offset,
					   "a member stands twice", err);
	m->seen |= 1u << m->field;
	return 0;
}

/* ---- numbers and literals ---- */

static int size_step(struct osmo_manifest *m, struct err *err)
{
	uint8_t c = *m->p;

	if (c >= '0' && c <= '9') {
		if (m->num == NUM_ZERO)
			return osmo_corrupt(m, m->p, "size has a leading zero",
					    err);
		m->size = m->size * 10 + (c - '0');
		if (m->size > SIZE_LIMIT)
			return osmo_corrupt(m, m->p, "size is beyond 2^53",
					    err);
		m->p++;
		return 0;
	}
	if (c == '.' || c == 'e' || c == 'E')
		return osmo_corrupt(m, m->p, "size is not a whole number", err);
	m->state = ST_AFTER;
	return 0;
}

/* The state behind c, or -1 where the number ends before it. */
static int number_next(enum number_state s, uint8_t c)
{
	bool digit = c >= '0' && c <= '9';

	switch (s) {
	case NUM_MINUS:
		return c == '0' ? NUM_ZERO : digit ? NUM_INT : -1;
	case NUM_INT:
		if (digit)
			return NUM_INT;
		/* fallthrough */
	case NUM_ZERO:
		return c == '.' ? NUM_DOT :
		       (c == 'e' || c == 'E') ? NUM_E : -1;
	case NUM_DOT:
		return digit ? NUM_FRACTION : -1;
	case NUM_FRACTION:
		return digit ? NUM_FRACTION :
		       (c == 'e' || c == 'E') ? NUM_E : -1;
	case NUM_E:
		if (c == '+' || c == '-')
			return NUM_E_SIGN;
		/* fallthrough */
	case NUM_E_SIGN:
	case NUM_EXPONENT:
		return digit ? NUM_EXPONENT : -1;
	}
	return -1;
}

static int number_step(struct osmo_manifest *m, struct err *err)
{
	int next = number_next(m->num, *m->p);

	if (next >= 0) {
		m->num = (enum number_state)next;
		m->p++;
		return 0;
	}
	if (m->num != NUM_ZERO && m->num != NUM_INT &&
	    m->num != NUM_FRACTION && m->num != NUM_EXPONENT)
		return osmo_corrupt(m, m->p, "bad number", err);
	m->state = ST_AFTER;
	return 0;
}

static int literal_step(struct osmo_manifest *m, struct err *err)
{
	if (*m->p != (uint8_t)*m->literal)
		return osmo_corrupt(m, m->p, "unknown word", err);
	m->p++;
	if (!*++m->literal)
		m->state = ST_AFTER;
	return 0;
}

/* ---- structure ---- */

static void entry_begin(struct osmo_manifest *m)
{
	m->seen = 0;
	m->is_malformed = false;
	m->size = 0;
	for (size_t i = 0; i < FIELD_STRINGS; i++) {
		m->text[i].p = "";
		m->text[i].len = 0;
	}
}

static int entry_end(struct osmo_manifest *m, const uint8_t *at,
		     struct err *err)
{
	const struct osmo_entry e = {
		.relative_path = m->text[FIELD_PATH].p,
		.relative_path_len = m->text[FIELD_PATH].len,
		.storage_path = m->text[FIELD_STORAGE].p,
		.storage_path_len = m->text[FIELD_STORAGE].len,
		.etag = m->text[FIELD_ETAG].p,
		.etag_len = m->text[FIELD_ETAG].len,
		.size = m->size,
		.number = m->number,
		.is_malformed = m->is_malformed,
	};
	int r;

	if (!(m->seen & 1u << FIELD_PATH))
		return osmo_corrupt(m, at, "relative_path is missing", err);
	if (!(m->seen & 1u << FIELD_STORAGE))
		return osmo_corrupt(m, at, "storage_path is missing", err);
	if (!(m->seen & 1u << FIELD_SIZE))
		return osmo_corrupt(m, at, "size is missing", err);
	r = m->each(m->arg, &e, err);
	m->number++;
	return r;
}

static int level_open(struct osmo_manifest *m, bool is_object,
		      const uint8_t *at, struct err *err)
{
	if (m->depth == LEVELS_MAX)
		return osmo_corrupt(m, at, "nested too deep", err);
	m->depth++;
	if (is_object)
		m->objects |= 1u << m->depth;
	else
		m->objects &= ~(1u << m->depth);
	if (m->depth == ENTRY_DEPTH)
		entry_begin(m);
	m->state = is_object ? ST_KEY_OR_END : ST_VALUE_OR_END;
	return 0;
}

static int level_close(struct osmo_manifest *m, const uint8_t *at,
		       struct err *err)
{
	int r = 0;

	if (m->depth == ENTRY_DEPTH)
		r = entry_end(m, at, err);
	m->depth--;
	m->state = m->depth ? ST_AFTER : ST_DONE;
	return r;
}

static int wrong_type(struct osmo_manifest *m, const uint8_t *at,
		      struct err *err)
{
	switch (m->field) {
	case FIELD_PATH:
		return osmo_corrupt(m, at, "relative_path is not a string",
				    err);
	case FIELD_STORAGE:
		return osmo_corrupt(m, at, "storage_path is not a string", err);
	case FIELD_ETAG:
		return osmo_corrupt(m, at, "etag is not a string", err);
	default:
		return osmo_corrupt(m, at, "size is not a whole number", err);
	}
}

static int literal_begin(struct osmo_manifest *m, uint8_t c)
{
	m->literal = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
	m->state = ST_LITERAL;
	return 0;
}

static int number_begin(struct osmo_manifest *m, uint8_t c, bool is_size)
{
	m->num = c == '-' ? NUM_MINUS : c == '0' ? NUM_ZERO : NUM_INT;
	m->size = is_size ? (uint64_t)(c - '0') : m->size;
	m->state = is_size ? ST_SIZE : ST_NUMBER;
	return 0;
}

/* A value of the entry itself: the members that mean something. */
static int member_begin(struct osmo_manifest *m, uint8_t c, const uint8_t *at,
			struct err *err)
{
	if (m->field == FIELD_SIZE) {
		if (c < '0' || c > '9')
			return wrong_type(m, at, err);
		return number_begin(m, c, true);
	}
	if (c == '"') {
		osmo_string_begin(m, &m->text[m->field], false);
		return 0;
	}
	if (c == 'n' && m->field == FIELD_ETAG)
		return literal_begin(m, c);
	return wrong_type(m, at, err);
}

static int value_begin(struct osmo_manifest *m, uint8_t c, const uint8_t *at,
		       struct err *err)
{
	if (m->depth == ENTRY_DEPTH - 1 && c != '{')
		return osmo_corrupt(m, at, "not an object", err);
	if (m->depth == ENTRY_DEPTH && m->field <= FIELD_SIZE)
		return member_begin(m, c, at, err);
	if (c == '{' || c == '[')
		return level_open(m, c == '{', at, err);
	if (c == '"') {
		osmo_string_begin(m, NULL, false);
		return 0;
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		return number_begin(m, c, false);
	if (c == 't' || c == 'f' || c == 'n')
		return literal_begin(m, c);
	return osmo_corrupt(m, at, "a value is expected", err);
}

/* Keys below the entry are skipped like any string. */
static int key_begin(struct osmo_manifest *m, uint8_t c, const uint8_t *at,
		     struct err *err)
{
	if (c != '"')
		return osmo_corrupt(m, at, "a member name is expected", err);
	osmo_string_begin(m, m->depth == ENTRY_DEPTH ? &m->key : NULL, true);
	return 0;
}

static int structure_step(struct osmo_manifest *m, struct err *err)
{
	const uint8_t *at = m->p++;
	uint8_t c = *at;
	bool in_object = m->objects & 1u << m->depth;

	switch (m->state) {
	case ST_START:
		if (c != '[')
			return osmo_corrupt(m, at, "not a JSON array", err);
		return level_open(m, false, at, err);
	case ST_VALUE_OR_END:
		if (c == ']')
			return level_close(m, at, err);
		return value_begin(m, c, at, err);
	case ST_VALUE:
		return value_begin(m, c, at, err);
	case ST_KEY_OR_END:
		if (c == '}')
			return level_close(m, at, err);
		return key_begin(m, c, at, err);
	case ST_KEY:
		return key_begin(m, c, at, err);
	case ST_COLON:
		if (c != ':')
			return osmo_corrupt(m, at, "a colon is expected", err);
		m->state = ST_VALUE;
		return 0;
	case ST_AFTER:
		if (c == (in_object ? '}' : ']'))
			return level_close(m, at, err);
		if (c != ',')
			return osmo_corrupt(m, at, "a comma is expected", err);
		m->state = in_object ? ST_KEY : ST_VALUE;
		return 0;
	default:
		return osmo_corrupt(m, at, "bytes behind the array", err);
	}
}

static void skip_space(struct osmo_manifest *m)
{
	const uint8_t *p = m->p, *end = m->end;

	while (p < end) {
		if (*p == ' ') {
			if (end - p >= 8 && osmo_load_le64(p) == SPACES)
				p += 7;
		} else if (*p != '\n' && *p != '\r' && *p != '\t') {
			break;
		}
		p++;
	}
	m->p = p;
}

static int step(struct osmo_manifest *m, struct err *err)
{
	switch (m->state) {
	case ST_STRING:
	case ST_ESCAPE:
	case ST_HEX:
		return osmo_string_step(m, err);
	case ST_SIZE:
		return size_step(m, err);
	case ST_NUMBER:
		return number_step(m, err);
	case ST_LITERAL:
		return literal_step(m, err);
	default:
		skip_space(m);
		return m->p < m->end ? structure_step(m, err) : 0;
	}
}

/* The feed's memory goes away: keep what the entry under way needs of it. */
static int keep_entry(struct osmo_manifest *m, struct err *err)
{
	int r;

	if (m->state == ST_STRING) {
		r = osmo_string_keep(m, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < FIELD_STRINGS && m->depth >= ENTRY_DEPTH; i++) {
		struct text *t = &m->text[i];

		if (t == m->dst || t->len == 0 || t->p == t->own.data)
			continue;
		buf_clear(&t->own);
		r = buf_add(&t->own, t->p, t->len, err);
		if (r < 0)
			return r;
		t->p = t->own.data;
	}
	return 0;
}

static int fail(struct osmo_manifest *m, int r, const struct err *err)
{
	m->failed = r;
	err_copy(&m->failure, err);
	return r;
}

int osmo_manifest_feed(struct osmo_manifest *m, const void *bytes, size_t len,
		       struct err *err)
{
	int r = 0;

	if (m->failed) {
		err_copy(err, &m->failure);
		return m->failed;
	}
	m->feed = m->p = m->piece = bytes;
	m->end = m->p + len;
	while (m->p < m->end && r == 0)
		r = step(m, err);
	if (r == 0)
		r = keep_entry(m, err);
	if (r)
		return fail(m, r, err);
	m->feed_offset += len;
	m->feed = m->p = m->end = NULL;
	return 0;
}

int osmo_manifest_finish(struct osmo_manifest *m, struct err *err)
{
	if (m->failed) {
		err_copy(err, &m->failure);
		return m->failed;
	}
	if (m->state == ST_DONE)
		return 0;
	return fail(m, osmo_corrupt(m, m->p, "the manifest is cut off", err),
		    err);
}
