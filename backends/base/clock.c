/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define DAY_S 86400

static int64_t (*fake_ms)(void);
static int64_t (*fake_wall_s)(void);

int64_t clock_ms(void)
{
	struct timespec now;

	if (fake_ms)
		return fake_ms();
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_wall_s(void)
{
	struct timespec now;

	if (fake_wall_s)
		return fake_wall_s();
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec;
}

void clock_fake(int64_t (*ms)(void), int64_t (*wall_s)(void))
{
	fake_ms = ms;
	fake_wall_s = wall_s;
}

/*
 * Days since 1970-01-01 of a date in the proleptic Gregorian calendar, by
 * counting in 400-year eras of 146,097 days that begin on 1 March, so that a
 * leap day is the last day of its year.
 */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Exactly n digits with a value of lo to hi; moves *p behind them. */
static bool take_number(const char **p, int n, int lo, int hi, int *out)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		char c = (*p)[i];

		if (c < '0' || c > '9')
			return false;
		v = v * 10 + (c - '0');
	}
	if (v < lo || v > hi)
		return false;
	*p += n;
	*out = v;
	return true;
}

static bool take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* A fraction of one to nine digits, if there is one. */
static bool take_fraction(const char **p, uint32_t *ns)
{
	uint32_t v = 0;
	int n = 0;

	*ns = 0;
	if (!take_char(p, '.'))
		return true;
	for (; **p >= '0' && **p <= '9'; (*p)++, n++) {
		if (n == 9)
			return false;
		v = v * 10 + (uint32_t)(**p - '0');
	}
	if (n == 0)
		return false;
	for (; n < 9; n++)
		v *= 10;
	*ns = v;
	return true;
}

/* "Z", "+00", "+00:00", "+0000" or nothing, up to the end of the text. */
static bool take_zone(const char **p, int *offset_s)
{
	int hours;
	int minutes = 0;
	int sign;

	*offset_s = 0;
	if (**p == '\0')
		return true;
	if (take_char(p, 'Z'))
		return **p == '\0';
	if (**p != '+' && **p != '-')
		return false;
	sign = **p == '-' ? -1 : 1;
	(*p)++;
	if (!take_number(p, 2, 0, 23, &hours))
		return false;
	if (**p != '\0') {
		(void)take_char(p, ':');
		if (!take_number(p, 2, 0, 59, &minutes))
			return false;
	}
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return **p == '\0';
}

int clock_parse_iso(const char *text, int64_t *s, uint32_t *ns)
{
	const char *p = text;
	int year, month, day, hour, minute, second, offset_s;
	uint32_t fraction;

	if (!p || !take_number(&p, 4, 0, 9999, &year) || !take_char(&p, '-') ||
	    !take_number(&p, 2, 1, 12, &month) || !take_char(&p, '-') ||
	    !take_number(&p, 2, 1, month_days(year, month), &day))
		return -EINVAL;
	if (!take_char(&p, 'T') && !take_char(&p, ' '))
		return -EINVAL;
	if (!take_number(&p, 2, 0, 23, &hour) || !take_char(&p, ':') ||
	    !take_number(&p, 2, 0, 59, &minute) || !take_char(&p, ':') ||
	    !take_number(&p, 2, 0, 59, &second))
		return -EINVAL;
	if (!take_fraction(&p, &fraction) || !take_zone(&p, &offset_s))
		return -EINVAL;

	*s = days_of(year, month, day) * DAY_S + hour * 3600 + minute * 60 +
	     second - offset_s;
	if (ns)
		*ns = fraction;
	return 0;
}

void clock_format_iso(int64_t s, char out[CLOCK_ISO_MAX])
{
	int64_t days = s / DAY_S;
	int rest = (int)(s % DAY_S);
	int64_t year;
	int month, day;

	if (rest < 0) {
		rest += DAY_S;
		days--;
	}
	date_of(days, &year, &month, &day);
	(void)snprintf(out, CLOCK_ISO_MAX, "%04lld-%02u-%02uT%02u:%02u:%02uZ",
		       (long long)year, (unsigned)month & 15,
		       (unsigned)day & 31, (unsigned)rest / 3600 % 24,
		       (unsigned)rest / 60 % 60, (unsigned)rest % 60);
}
