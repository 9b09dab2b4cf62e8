/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that take long end in order when they are asked to: by SIGINT,
 * SIGTERM or SIGHUP.  Who asks again is not made to wait.
 */
#ifndef DATASETFS_CLI_INTERRUPT_H
#define DATASETFS_CLI_INTERRUPT_H

#include <stdatomic.h>
#include <stdbool.h>

/* From now on; what is ignored stays so: nohup(1)'s wish is granted. */
void interrupt_catch(void);
bool interrupt_came(void);
/* The same, for who looks at it on other threads. */
const atomic_bool *interrupt_flag(void);

#endif
