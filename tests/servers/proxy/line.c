/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/servers/proxy/line.h"

#include "tests/servers/proxy/control.h"
#include "tests/servers/proxy/head.h"
#include "tests/servers/proxy/rules.h"
#include "tests/servers/proxy/stream.h"
#include "tests/servers/proxy/tally.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define RATE_STEPS 50		/* a second */

enum state {
	LINE_REQUEST,	/* the head of the next request is awaited */
	LINE_CONTROL,	/* a request for the proxy itself: its body */
	LINE_HELD,	/* a request is held until wake_ms */
	LINE_SWALLOW,	/* to be answered here: its body is thrown away */
	LINE_FLUSH,	/* an answer of our own goes out */
	LINE_PASS,	/* bytes pass in both directions */
	LINE_OVER,
};

enum step { STEP_AGAIN, STEP_WAIT, STEP_END };

struct line {
	struct line *next;
	struct endpoint client, server;
	struct stream up, down;
	enum state state;
	int64_t wake_ms;
	unsigned number;
	bool is_connecting, is_reused, has_connected_once;
	bool closes_after;	/* no further request on this connection */

	struct exchange exchange;	/* method NULL: none under way */
	struct buf head;		/* the request's, to send it again */
	struct rule rule;
	unsigned generation;
	struct body asked, answer;
	bool has_answer, has_stalled, has_body_sent;
	uint64_t passed;		/* bytes of the answer's body */
};

struct line **line_next(struct line *line)
{
	return &line->next;
}

int64_t line_wake_ms(const struct line *line)
{
	return line->wake_ms;
}

struct line *line_new(int client)
{
	static unsigned n_lines;
	struct line *line = calloc(1, sizeof(*line));

	if (!line)
		abort();
	line->number = n_lines++;
	line->client = (struct endpoint){ .line = line, .fd = client };
	line->server = (struct endpoint){ .line = line, .fd = -1 };
	line->wake_ms = INT64_MAX;
	stream_init(&line->up);
	stream_init(&line->down);
	return line;
}

static void close_endpoint(struct endpoint *endpoint)
{
	if (endpoint->fd < 0)
		return;
	loop_watch(endpoint, 0);
	close(endpoint->fd);
	endpoint->fd = -1;
}

static void end_exchange(struct line *line)
{
	if (!line->exchange.method)
		return;
	line->exchange.sent = line->passed;
	line->exchange.end_ms = loop_now_ms();
	tally_end(&line->exchange);
}

static void end_line(struct line *line)
{
	end_exchange(line);
	close_endpoint(&line->client);
	close_endpoint(&line->server);
	line->wake_ms = INT64_MAX;
	line->state = LINE_OVER;
}

bool line_is_over(const struct line *line)
{
	return line->state == LINE_OVER;
}

void line_free(struct line *line)
{
	stream_release(&line->up);
	stream_release(&line->down);
	buf_release(&line->head);
	free(line);
}

/* The answer's queued bytes are lost with RST, as they may be in real life. */
static void reset_client(struct line *line)
{
	struct linger now = { .l_onoff = 1 };

	(void)setsockopt(line->client.fd, SOL_SOCKET, SO_LINGER, &now,
			 sizeof(now));
}

/* A copy with every byte that JSON could not hold as '?'. */
static char *copy_text(const char *text, size_t len)
{
	char *copy = strndup(text, len);

	if (!copy)
		abort();
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return copy;
}

static bool split_request_line(const char *head, size_t len, char **method,
			       char **target)
{
	const char *space = memchr(head, ' ', len);
	const char *end = space ? memchr(space + 1, ' ',
					 len - (space + 1 - head)) : NULL;

	if (!end || memchr(head, '\r', end - head))
		return false;
	*method = copy_text(head, space - head);
	*target = copy_text(space + 1, end - space - 1);
	return true;
}

static bool wants_close(const char *head, size_t len)
{
	char value[64];

	return head_value(head, len, "connection", value, sizeof(value)) &&
	       strcasestr(value, "close");
}

/* From the request's head on; control requests are not counted. */
static enum step begin_exchange(struct line *line, size_t len)
{
	const char *head = stream_data(&line->up);
	char range[128], expect[32];
	char *method, *target;
	bool has_range;

	if (!split_request_line(head, len, &method, &target))
		return STEP_END;
	buf_clear(&line->head);
	buf_bytes(&line->head, head, len);
	line->asked = body_of_request(head, len);
	line->has_answer = line->has_stalled = line->has_body_sent = false;
	line->passed = 0;
	line->closes_after = wants_close(head, len);
	has_range = head_value(head, len, "range", range, sizeof(range));
	line->rule = (struct rule){ .index = -1, .stall_at = RULE_NO_OFFSET,
		.cut_at = RULE_NO_OFFSET, .reset_at = RULE_NO_OFFSET,
		.short_to = RULE_NO_OFFSET, .corrupt_at = RULE_NO_OFFSET };
	if (control_is_for(target)) {
		stream_consume(&line->up, len);
		buf_clear(&line->head);
		buf_printf(&line->head, "%s\n%s\n", method, target);
		free(method);
		free(target);
		line->state = LINE_CONTROL;
		return STEP_AGAIN;
	}

	(void)rules_match(&line->rule, method, target, has_range ? range : NULL);
	line->generation = rules_generation();
	line->exchange = (struct exchange){
		.method = method,
		.target = target,
		.range = has_range ? copy_text(range, strlen(range)) : NULL,
		.start_ms = loop_now_ms(),
		.rule = line->rule.index,
		.line = line->number,
	};
	tally_begin();
	if (line->rule.status && head_value(head, len, "expect", expect,
					    sizeof(expect))) {
		/* The client does not send the body that it asks about. */
		line->asked = (struct body){ .ended = true };
		line->closes_after = true;
	}
	stream_consume(&line->up, len);
	/* A new connection costs one round trip more. */
	line->wake_ms = loop_now_ms() + line->rule.delay_ms +
			loop_latency_ms * (line->has_connected_once ? 1 : 2);
	if (!line->has_connected_once)
		tally_connection();
	line->has_connected_once = true;
	line->state = LINE_HELD;
	return STEP_AGAIN;
}

static enum step read_request(struct line *line)
{
	size_t len = head_length(stream_data(&line->up), stream_len(&line->up));
	ssize_t n;

	if (len)
		return begin_exchange(line, len);
	if (stream_len(&line->up) > HEAD_MAX)
		return STEP_END;
	n = stream_fill(&line->up, line->client.fd);
	if (n == -EAGAIN)
		return STEP_WAIT;
	return n > 0 ? STEP_AGAIN : STEP_END;
}

/*
 * STEP_AGAIN once the client's whole body was taken: into a buffer, or without
 * one only counted as received.
 */
static enum step take_body(struct line *line, struct buf *into)
{
	while (!line->asked.ended) {
		size_t n = body_take(&line->asked, stream_data(&line->up),
				     stream_len(&line->up));
		ssize_t got;

		if (into)
			buf_bytes(into, stream_data(&line->up), n);
		else
			line->exchange.received += n;
		stream_consume(&line->up, n);
		if (line->asked.ended)
			break;
		got = stream_fill(&line->up, line->client.fd);
		if (got == -EAGAIN)
			return STEP_WAIT;
		if (got <= 0)
			return STEP_END;
	}
	return STEP_AGAIN;
}

/* line->head holds "METHOD\nTARGET\n" and then the body. */
static enum step read_control(struct line *line)
{
	enum step step = take_body(line, &line->head);
	char *method, *target, *body;

	if (step != STEP_AGAIN)
		return step;
	method = line->head.data;
	target = strchr(method, '\n') + 1;
	body = strchr(target, '\n') + 1;
	target[-1] = body[-1] = '\0';
	control_answer(&line->down.out, method, target, body,
		       line->head.len - (body - line->head.data));
	line->state = LINE_FLUSH;
	return STEP_AGAIN;
}

static enum step connect_server(struct line *line)
{
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return STEP_END;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&loop_upstream,
		    sizeof(loop_upstream)) < 0 && errno != EINPROGRESS) {
		close(fd);
		return STEP_END;
	}
	line->server.fd = fd;
	line->is_connecting = true;
	return STEP_AGAIN;
}

static enum step send_head(struct line *line)
{
	line->is_reused = line->server.fd >= 0;
	if (!line->is_reused && connect_server(line) == STEP_END)
		return STEP_END;
	buf_bytes(&line->up.out, line->head.data, line->head.len);
	line->state = LINE_PASS;
	return STEP_AGAIN;
}

static enum step leave_held(struct line *line)
{
	if (loop_now_ms() < line->wake_ms)
		return STEP_WAIT;
	line->wake_ms = INT64_MAX;
	if (line->rule.drop)
		return STEP_END;
	if (line->rule.status) {
		line->state = LINE_SWALLOW;
		return STEP_AGAIN;
	}
	return send_head(line);
}

/* What the rule borrows is gone once there are other rules. */
static bool has_rule_text(const struct line *line)
{
	return line->generation == rules_generation();
}

static void answer_by_rule(struct line *line)
{
	const char *body = has_rule_text(line) && line->rule.body ?
				   line->rule.body : "";
	bool head_only = strcmp(line->exchange.method, "HEAD") == 0;
	struct buf answer = BUF_INIT;

	line->exchange.status = (int)line->rule.status;
	control_respond(&answer, (int)line->rule.status, "application/xml",
			body, head_only);
	if (has_rule_text(line) && line->rule.headers) {
		struct buf head = BUF_INIT;
		size_t len = head_length(answer.data, answer.len);
		const char *name;
		json_t *value;

		buf_bytes(&head, answer.data, len);
		json_object_foreach(line->rule.headers, name, value)
			head_set(&head, name, json_string_value(value));
		buf_bytes(&line->down.out, head.data, head.len);
		buf_bytes(&line->down.out, answer.data + len, answer.len - len);
		buf_release(&head);
	} else {
		buf_bytes(&line->down.out, answer.data, answer.len);
	}
	buf_release(&answer);
	line->passed = head_only ? 0 : strlen(body);
}

static enum step swallow(struct line *line)
{
	enum step step = take_body(line, NULL);

	if (step != STEP_AGAIN)
		return step;
	answer_by_rule(line);
	line->state = LINE_FLUSH;
	return STEP_AGAIN;
}

static enum step flush_answer(struct line *line)
{
	int r = stream_flush(&line->down, line->client.fd);

	if (r == -EAGAIN)
		return STEP_WAIT;
	end_exchange(line);
	if (r < 0 || line->closes_after)
		return STEP_END;
	line->state = LINE_REQUEST;
	return STEP_AGAIN;
}

/* ---- bytes that pass ---- */

/* The request's body, client to server. */
static enum step pass_up(struct line *line)
{
	struct stream *up = &line->up;
	ssize_t n;
	int r = stream_flush(up, line->server.fd);

	if (r == -EAGAIN)
		return STEP_WAIT;
	if (r < 0) {
		/* The server may have answered before it closed. */
		return STEP_WAIT;
	}
	line->is_connecting = false;
	if (line->asked.ended)
		return STEP_WAIT;
	if (!stream_len(up) && line->asked.kind == BODY_LENGTH) {
		n = stream_splice(up, line->client.fd, line->asked.left);
		if (n > 0)
			body_pass(&line->asked, n);
	} else {
		if (!stream_len(up)) {
			n = stream_fill(up, line->client.fd);
			if (n == -EAGAIN)
				return STEP_WAIT;
			if (n <= 0)
				return STEP_END;
		}
		n = (ssize_t)body_take(&line->asked, stream_data(up),
				       stream_len(up));
		buf_bytes(&up->out, stream_data(up), n);
		stream_consume(up, n);
	}
	if (n == -EAGAIN)
		return STEP_WAIT;
	if (n <= 0)
		return STEP_END;
	line->exchange.received += n;
	line->has_body_sent = true;
	return STEP_AGAIN;
}

static void hold(struct line *line, int64_t ms)
{
	line->wake_ms = loop_now_ms() + ms;
}

static bool is_held(struct line *line)
{
	if (line->wake_ms == INT64_MAX)
		return false;
	if (loop_now_ms() < line->wake_ms)
		return true;
	line->wake_ms = INT64_MAX;
	return false;
}

/* The head as the client gets it. */
static void send_answer_head(struct line *line, size_t len)
{
	const char *from = stream_data(&line->down);
	struct buf head = BUF_INIT;

	buf_bytes(&head, from, len);
	if (line->rule.short_to != RULE_NO_OFFSET &&
	    line->answer.kind == BODY_LENGTH &&
	    line->answer.left > line->rule.short_to) {
		char value[32];

		snprintf(value, sizeof(value), "%llu",
			 (unsigned long long)line->rule.short_to);
		head_set(&head, "Content-Length", value);
	}
	if (has_rule_text(line) && line->rule.headers) {
		const char *name;
		json_t *value;

		json_object_foreach(line->rule.headers, name, value)
			head_set(&head, name, json_string_value(value));
	}
	buf_bytes(&line->down.out, head.data, head.len);
	buf_release(&head);
	stream_consume(&line->down, len);
}

/* The server ended a kept connection as the request was on its way to it. */
static enum step server_ended_early(struct line *line)
{
	if (!line->is_reused || line->has_body_sent ||
	    stream_len(&line->down))
		return STEP_END;
	close_endpoint(&line->server);
	stream_reset(&line->down);
	buf_clear(&line->up.out);
	line->up.out_at = 0;
	return send_head(line);
}

static enum step pass_answer_head(struct line *line)
{
	struct stream *down = &line->down;
	size_t len = head_length(stream_data(down), stream_len(down));
	int status;

	if (!len) {
		ssize_t n = stream_len(down) > HEAD_MAX ? 0 :
				    stream_fill(down, line->server.fd);

		if (n == -EAGAIN || n == -ENOTCONN)
			return STEP_WAIT;
		return n > 0 ? STEP_AGAIN : server_ended_early(line);
	}
	if (len < 13 || sscanf(stream_data(down), "HTTP/1.%*c %3d", &status) != 1)
		return STEP_END;
	if (status < 200) {
		buf_bytes(&down->out, stream_data(down), len);
		stream_consume(down, len);
		return STEP_AGAIN;
	}
	if (line->rule.ttfb_ms) {
		hold(line, line->rule.ttfb_ms);
		line->rule.ttfb_ms = 0;
		return STEP_AGAIN;
	}
	line->exchange.status = status;
	line->closes_after |= wants_close(stream_data(down), len);
	line->answer = body_of_response(stream_data(down), len,
		strcmp(line->exchange.method, "HEAD") == 0 ||
		status == 204 || status == 304);
	send_answer_head(line, len);
	line->has_answer = true;
	return STEP_AGAIN;
}

/*
 * How many bytes of the body may pass until the rule does something; does it,
 * if its place has come.
 */
static enum step faults_due(struct line *line, size_t *allowed)
{
	struct rule *rule = &line->rule;
	uint64_t until = UINT64_MAX;
	uint64_t places[] = { rule->stall_at, rule->cut_at, rule->reset_at,
			      rule->short_to, rule->corrupt_at };

	if (rule->stall_at <= line->passed && !line->has_stalled) {
		line->has_stalled = true;
		rule->stall_at = RULE_NO_OFFSET;
		hold(line, rule->stall_ms);
		return STEP_AGAIN;
	}
	if (rule->cut_at <= line->passed || rule->short_to <= line->passed)
		return STEP_END;
	if (rule->reset_at <= line->passed) {
		reset_client(line);
		return STEP_END;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i] > line->passed && places[i] < until)
			until = places[i];
	until -= line->passed;
	if (rule->corrupt_at == line->passed)
		until = 1;
	if (rule->rate && until > (uint64_t)rule->rate / RATE_STEPS + 1)
		until = rule->rate / RATE_STEPS + 1;
	*allowed = until < SIZE_MAX ? until : SIZE_MAX;
	return STEP_WAIT;
}

static bool is_due_before_flush(const struct line *line)
{
	const struct rule *rule = &line->rule;

	return rule->cut_at <= line->passed ||
	       rule->reset_at <= line->passed ||
	       rule->short_to <= line->passed ||
	       (rule->stall_at <= line->passed && !line->has_stalled);
}

static ssize_t pass_copied(struct line *line, size_t allowed)
{
	struct stream *down = &line->down;
	size_t n = stream_len(down);

	if (!n) {
		ssize_t got = stream_fill(down, line->server.fd);

		if (got <= 0)
			return got;
		n = got;
	}
	if (n > allowed)
		n = allowed;
	n = body_take(&line->answer, stream_data(down), n);
	buf_bytes(&down->out, stream_data(down), n);
	if (n && line->rule.corrupt_at == line->passed)
		down->out.data[down->out.len - n] ^= 1;
	stream_consume(down, n);
	return (ssize_t)n;
}

/* The answer's body, server to client. */
static enum step pass_answer_body(struct line *line)
{
	struct stream *down = &line->down;
	size_t allowed = SIZE_MAX;
	ssize_t n;

	if (!line->answer.ended || is_due_before_flush(line)) {
		enum step step = faults_due(line, &allowed);

		if (step != STEP_WAIT)
			return step;
	}
	if (line->answer.ended)
		return STEP_WAIT;
	if (line->answer.kind == BODY_LENGTH && allowed > line->answer.left)
		allowed = line->answer.left;
	if (line->answer.kind == BODY_CHUNKED || stream_len(down) ||
	    line->rule.corrupt_at == line->passed)
		n = pass_copied(line, allowed);
	else {
		n = stream_splice(down, line->server.fd, allowed);
		if (n > 0)
			body_pass(&line->answer, n);
	}
	if (n == -EAGAIN)
		return STEP_WAIT;
	if (n == 0 && line->answer.kind == BODY_UNTIL_CLOSE) {
		line->answer.ended = line->closes_after = true;
		return STEP_AGAIN;
	}
	if (n <= 0)
		return STEP_END;
	line->passed += n;
	if (line->rule.rate && !line->answer.ended)
		hold(line, 1000 / RATE_STEPS);
	return STEP_AGAIN;
}

static enum step pass_down(struct line *line)
{
	int r = stream_flush(&line->down, line->client.fd);

	if (r == -EAGAIN)
		return STEP_WAIT;
	if (r < 0)
		return STEP_END;
	if (is_held(line))
		return STEP_WAIT;
	if (!line->has_answer)
		return pass_answer_head(line);
	if (!line->answer.ended || is_due_before_flush(line))
		return pass_answer_body(line);

	/* Answered in full, but the request's body is still coming. */
	if (!line->asked.ended || !stream_is_flushed(&line->up))
		return STEP_END;
	end_exchange(line);
	if (line->closes_after)
		return STEP_END;
	line->state = LINE_REQUEST;
	return STEP_AGAIN;
}

static enum step pass(struct line *line)
{
	enum step up = pass_up(line);
	enum step down;

	if (up == STEP_END)
		return STEP_END;
	down = pass_down(line);
	return down == STEP_WAIT ? up : down;
}

static enum step run_once(struct line *line)
{
	switch (line->state) {
	case LINE_REQUEST:
		return read_request(line);
	case LINE_CONTROL:
		return read_control(line);
	case LINE_HELD:
		return leave_held(line);
	case LINE_SWALLOW:
		return swallow(line);
	case LINE_FLUSH:
		return flush_answer(line);
	case LINE_PASS:
		return pass(line);
	case LINE_OVER:
		break;
	}
	return STEP_END;
}

/*
 * Which events can bring a line on.  EPOLLRDHUP of the client always counts:
 * whoever has gone away must not be waited for.
 */
static void watch(struct line *line)
{
	uint32_t client = EPOLLRDHUP, server = 0;
	bool is_passing = line->state == LINE_PASS;

	if (line->state == LINE_REQUEST || line->state == LINE_CONTROL ||
	    line->state == LINE_SWALLOW)
		client |= EPOLLIN;
	if (is_passing && !line->asked.ended && stream_is_flushed(&line->up))
		client |= EPOLLIN;
	if (!stream_is_flushed(&line->down))
		client |= EPOLLOUT;

	if (is_passing && !stream_is_flushed(&line->up))
		server |= EPOLLOUT;
	if (is_passing && !line->is_connecting && line->wake_ms == INT64_MAX &&
	    stream_is_flushed(&line->down))
		server |= EPOLLIN;
	if (!is_passing)
		server |= EPOLLRDHUP;
	loop_watch(&line->client, client);
	if (line->server.fd >= 0)
		loop_watch(&line->server, server);
}

void line_run(struct line *line)
{
	enum step step;

	do
		step = run_once(line);
	while (step == STEP_AGAIN);
	if (step == STEP_END)
		end_line(line);
	else
		watch(line);
}

void line_hung_up(struct line *line, const struct endpoint *endpoint)
{
	if (endpoint == &line->client) {
		end_line(line);
	} else if (line->state == LINE_PASS) {
		line_run(line);
	} else {
		close_endpoint(&line->server);
		stream_consume(&line->down, stream_len(&line->down));
	}
}
