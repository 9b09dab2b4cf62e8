/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/md5_lanes.h"

#include <assert.h>
#include <string.h>
#include "backends/base/encode.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "words are taken as they lie in memory");

#define STATE 4			/* words of MD5's state */
#define WORDS (MD5_BLOCK / sizeof(uint32_t))
#define LENGTH_BYTES 8		/* at the end of the padding */

#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef uint32_t lanes_u32 __attribute__((vector_size(4 * MD5_LANES)));
struct state {
	uint32_t words[STATE][MD5_LANES];
};

static const uint32_t initial[STATE] = {
	0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
};

/* RFC 1321, section 3.4: the integer part of 2^32 * abs(sin(i + 1)). */
static const uint32_t sines[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
	0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
	0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
	0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
	0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
	0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
	0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
	0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint8_t shifts[4][4] = {
	{ 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 },
};

/* ---- one block of every lane ---- */

#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

/* w[i] becomes the i-th word at p[0], p[1], ... : an 8 x 8 transposition. */
ALWAYS_INLINE void gather(lanes_u32 w[MD5_LANES],
			  const uint8_t *const p[MD5_LANES], size_t at)
{
	lanes_u32 a[MD5_LANES], b[MD5_LANES];

	for (int i = 0; i < MD5_LANES; i++)
		memcpy(&w[i], p[i] + at, sizeof(w[i]));
	for (int i = 0; i < MD5_LANES; i += 2) {
		a[i] = PICK(w[i], w[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
		a[i + 1] = PICK(w[i], w[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
	}
	for (int i = 0; i < MD5_LANES; i += 4) {
		b[i] = PICK(a[i], a[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
		b[i + 1] = PICK(a[i], a[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
		b[i + 2] = PICK(a[i + 1], a[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
		b[i + 3] = PICK(a[i + 1], a[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
	}
	for (int i = 0; i < MD5_LANES / 2; i++) {
		w[i] = PICK(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
		w[i + 4] = PICK(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
	}
}

/* What step mixes in of the state v, and the word that it takes. */
ALWAYS_INLINE void mix(lanes_u32 *out, const lanes_u32 v[STATE], unsigned step,
		       unsigned *word)
{
	switch (step / 16) {
	case 0:
		*word = step;
		*out = v[3] ^ (v[1] & (v[2] ^ v[3]));
		break;
	case 1:
		*word = (5 * step + 1) % WORDS;
		*out = v[2] ^ (v[3] & (v[1] ^ v[2]));
		break;
	case 2:
		*word = (3 * step + 5) % WORDS;
		*out = v[1] ^ v[2] ^ v[3];
		break;
	default:
		*word = 7 * step % WORDS;
		*out = v[2] ^ (v[1] | ~v[3]);
		break;
	}
}

ALWAYS_INLINE void compress_block(lanes_u32 v[STATE],
				  const uint8_t *const p[MD5_LANES], size_t at)
{
	lanes_u32 w[WORDS];

	gather(w, p, at);
	gather(w + MD5_LANES, p, at + sizeof(lanes_u32));
#pragma GCC unroll 64
	for (unsigned step = 0; step < 64; step++) {
		int shift = shifts[step / 16][step % 4];
		unsigned word;
		lanes_u32 sum;

		mix(&sum, v, step, &word);
		sum += v[0] + w[word] + sines[step];
		v[0] = v[3];
		v[3] = v[2];
		v[2] = v[1];
		v[1] += sum << shift | sum >> (32 - shift);
	}
}

ALWAYS_INLINE void compress(struct state *state,
			    const uint8_t *const p[MD5_LANES], size_t blocks)
{
	lanes_u32 v[STATE];

	memcpy(v, state->words, sizeof(v));
	for (size_t i = 0; i < blocks; i++) {
		lanes_u32 before[STATE];

		memcpy(before, v, sizeof(v));
		compress_block(v, p, i * MD5_BLOCK);
		for (int k = 0; k < STATE; k++)
			v[k] += before[k];
	}
	memcpy(state->words, v, sizeof(v));
}

typedef void (*compress_fn)(struct state *state,
			    const uint8_t *const p[MD5_LANES], size_t blocks);

static void compress_any(struct state *state,
			 const uint8_t *const p[MD5_LANES], size_t blocks)
{
	compress(state, p, blocks);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void
compress_avx2(struct state *state, const uint8_t *const p[MD5_LANES],
	      size_t blocks)
{
	compress(state, p, blocks);
}

__attribute__((target("avx512f,avx512vl"))) static void
compress_avx512(struct state *state, const uint8_t *const p[MD5_LANES],
		size_t blocks)
{
	compress(state, p, blocks);
}
#endif

/* NULL: this processor cannot. */
static compress_fn compress_of(enum md5_lanes_kind kind)
{
	switch (kind) {
#ifdef __x86_64__
	case MD5_LANES_AVX512:
		return __builtin_cpu_supports("avx512f") &&
		       __builtin_cpu_supports("avx512vl") ?
			       compress_avx512 : NULL;
	case MD5_LANES_AVX2:
		return __builtin_cpu_supports("avx2") ? compress_avx2 : NULL;
#endif
	case MD5_LANES_ANY:
		return compress_any;
	default:
		return NULL;
	}
}

/* ---- lanes of any length ---- */

/* How far a lane is. */
struct progress {
	const struct md5_lane *lane;
	int piece;		/* the next one */
	uint64_t len;		/* of all pieces before it */
	const uint8_t *at;
	size_t blocks;		/* from there */
	uint8_t tail[2 * MD5_BLOCK];	/* the last bytes and the padding */
	size_t tail_blocks;	/* then none */
	bool is_over;
};

static void pad(struct progress *p, const uint8_t *rest, size_t len)
{
	p->tail_blocks = len + 1 + LENGTH_BYTES > MD5_BLOCK ? 2 : 1;
	memset(p->tail, 0, sizeof(p->tail));
	if (len)
		memcpy(p->tail, rest, len);
	p->tail[len] = 0x80;
	put_le64(p->tail + p->tail_blocks * MD5_BLOCK - LENGTH_BYTES,
		 p->len * 8);
}

/* Goes on to the next blocks; when there are none the lane is over. */
static void go_on(struct progress *p)
{
	while (!p->blocks && p->piece < p->lane->n) {
		const struct iovec *iov = &p->lane->iov[p->piece++];
		size_t rest = iov->iov_len % MD5_BLOCK;
		const uint8_t *data = iov->iov_base;

		assert(!rest || p->piece == p->lane->n);
		p->len += iov->iov_len;
		p->at = data;
		p->blocks = iov->iov_len / MD5_BLOCK;
		if (p->piece == p->lane->n)
			pad(p, data + iov->iov_len - rest, rest);
	}
	if (!p->blocks) {
		p->at = p->tail;
		p->blocks = p->tail_blocks;
		p->tail_blocks = 0;
	}
	p->is_over = !p->blocks;
}

static void finish(const struct state *state, int i, uint8_t md5[MD5_SIZE])
{
	for (int k = 0; k < STATE; k++)
		put_le32(md5 + 4 * k, state->words[k][i]);
}

/* The blocks that all lanes still have; 0: all are over. */
static size_t next_blocks(struct progress *p, int n, struct md5_lane *lanes,
			  const struct state *state,
			  const uint8_t *at[MD5_LANES])
{
	size_t blocks = 0;
	int some = 0;

	for (int i = 0; i < n; i++) {
		if (!p[i].blocks && !p[i].is_over) {
			go_on(&p[i]);
			if (p[i].is_over)
				finish(state, i, lanes[i].md5);
		}
		if (p[i].is_over)
			continue;
		if (!blocks || p[i].blocks < blocks)
			blocks = p[i].blocks;
		some = i;
	}
	/* A lane that is over, or was none, repeats another's. */
	for (int i = 0; i < MD5_LANES; i++)
		at[i] = i < n && !p[i].is_over ? p[i].at : p[some].at;
	return blocks;
}

bool md5_lanes_by(enum md5_lanes_kind kind, struct md5_lane *lanes, int n)
{
	struct progress p[MD5_LANES] = {0};
	const uint8_t *at[MD5_LANES];
	compress_fn compress_lanes = compress_of(kind);
	struct state state;
	size_t blocks;

	assert(n <= MD5_LANES);
	if (!compress_lanes)
		return false;
	for (int i = 0; i < MD5_LANES; i++)
		for (int k = 0; k < STATE; k++)
			state.words[k][i] = initial[k];
	for (int i = 0; i < n; i++) {
		p[i].lane = &lanes[i];
		if (!lanes[i].n)
			pad(&p[i], NULL, 0);
	}
	while ((blocks = next_blocks(p, n, lanes, &state, at))) {
		compress_lanes(&state, at, blocks);
		for (int i = 0; i < n; i++) {
			if (p[i].is_over)
				continue;
			p[i].at += blocks * MD5_BLOCK;
			p[i].blocks -= blocks;
		}
	}
	return true;
}

static void md5_alone(struct md5_lane *lane)
{
	struct digest *sum = digest_new(DIGEST_MD5);

	for (int i = 0; i < lane->n; i++)
		digest_add(sum, lane->iov[i].iov_base, lane->iov[i].iov_len);
	digest_finish(sum, lane->md5);
	digest_free(sum);
}

void md5_lanes(struct md5_lane *lanes, int n)
{
	enum md5_lanes_kind kind = MD5_LANES_AVX512;

	if (n == 1) {
		md5_alone(lanes);
		return;
	}
	while (!md5_lanes_by(kind, lanes, n))
		kind++;
}
