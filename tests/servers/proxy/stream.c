/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/servers/proxy/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILL_SIZE (64 * 1024)
#define PIPE_SIZE (1024 * 1024)

void stream_init(struct stream *stream)
{
	*stream = (struct stream){ .pipe = { -1, -1 } };
}

void stream_release(struct stream *stream)
{
	buf_release(&stream->in);
	buf_release(&stream->out);
	if (stream->pipe[0] >= 0) {
		close(stream->pipe[0]);
		close(stream->pipe[1]);
	}
	stream_init(stream);
}

void stream_reset(struct stream *stream)
{
	stream_release(stream);
}

void stream_consume(struct stream *stream, size_t len)
{
	stream->in_at += len;
	if (stream->in_at < stream->in.len)
		return;
	buf_clear(&stream->in);
	stream->in_at = 0;
}

ssize_t stream_fill(struct stream *stream, int from)
{
	char bytes[FILL_SIZE];
	ssize_t n = recv(from, bytes, sizeof(bytes), 0);

	if (n < 0)
		return -errno;
	buf_bytes(&stream->in, bytes, n);
	return buf_failed(&stream->in) ? -ENOMEM : n;
}

ssize_t stream_splice(struct stream *stream, int from, size_t max)
{
	ssize_t n;

	if (stream->pipe[0] < 0) {
		if (pipe2(stream->pipe, O_NONBLOCK | O_CLOEXEC) < 0)
			return -errno;
		/* An ordinary user's pipes may stay small: slower, no more. */
		(void)fcntl(stream->pipe[1], F_SETPIPE_SZ, PIPE_SIZE);
	}
	if (max > PIPE_SIZE)
		max = PIPE_SIZE;
	n = splice(from, NULL, stream->pipe[1], NULL, max,
		   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	if (n < 0)
		return -errno;
	stream->piped += n;
	return n;
}

int stream_flush(struct stream *stream, int to)
{
	while (stream->out_at < stream->out.len) {
		ssize_t n = send(to, stream->out.data + stream->out_at,
				 stream->out.len - stream->out_at,
				 MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		stream->out_at += n;
	}
	buf_clear(&stream->out);
	stream->out_at = 0;

	while (stream->piped) {
		ssize_t n = splice(stream->pipe[0], NULL, to, NULL,
				   stream->piped,
				   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

		if (n < 0)
			return -errno;
		if (n == 0)
			return -EPIPE;
		stream->piped -= n;
	}
	return 0;
}
