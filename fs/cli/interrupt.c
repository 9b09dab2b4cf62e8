/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/interrupt.h"

#include <signal.h>

#include "backends/base/err.h"

static atomic_bool has_come;	/* lock-free, so a handler may */

static void on_signal(int sig)
{
	(void)sig;
	atomic_store(&has_come, true);
}

void interrupt_catch(void)
{
	const struct sigaction action = {
		.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND,
	};
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction old;

		if (sigaction(signals[i], NULL, &old) == 0 &&
		    old.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &action, NULL);
	}
}

bool interrupt_came(void)
{
	return atomic_load(&has_come);
}

const atomic_bool *interrupt_flag(void)
{
	return &has_come;
}
