/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a connection: bytes received and not yet judged (in), bytes
 * to send (out), and behind those bytes that went from socket to socket
 * through a pipe and were never copied, which is what makes the proxy fast.
 * The sockets belong to the caller and do not block.
 */
#ifndef DATASETFS_TESTS_PROXY_STREAM_H
#define DATASETFS_TESTS_PROXY_STREAM_H

#include "backends/base/buf.h"
#include <sys/types.h>

struct stream {
	struct buf in;
	size_t in_at;
	struct buf out;
	size_t out_at;
	int pipe[2];	/* -1 until it is needed */
	size_t piped;
};

void stream_init(struct stream *stream);
void stream_release(struct stream *stream);
/* Forgets all bytes: its other end has become another one. */
void stream_reset(struct stream *stream);

static inline const char *stream_data(const struct stream *stream)
{
	return stream->in.data + stream->in_at;
}
static inline size_t stream_len(const struct stream *stream)
{
	return stream->in.len - stream->in_at;
}
void stream_consume(struct stream *stream, size_t len);

static inline bool stream_is_flushed(const struct stream *stream)
{
	return stream->out_at == stream->out.len && !stream->piped;
}

/* Receives into in; > 0, 0 at the end, -EAGAIN, -errno. */
ssize_t stream_fill(struct stream *stream, int from);
/* Receives up to max bytes straight into the pipe; the same results. */
ssize_t stream_splice(struct stream *stream, int from, size_t max);
/* Sends what there is; 0 when all is gone, -EAGAIN, -errno. */
int stream_flush(struct stream *stream, int to);

#endif
