/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk below a test, which fails, dies half way through a write or loses
 * what was not yet on the platter.  It stands in for the system calls of the
 * disk cache by the linker's --wrap (FAULTY_DISK in the Makemodule);
 * so only what is linked from our own archives meets it.
 *
 * As RocksDB's FaultInjectionTestFS and SQLite's test6.c have it, but there
 * is no sync: the cache knows none, so a power cut may take any page.
 *
 * Faults are random, from the seed.  Any thread.
 */
#ifndef DATASETFS_TESTS_FAULTY_DISK_H
#define DATASETFS_TESTS_FAULTY_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* dir: whose files are looked at; there is one disk. */
void faulty_disk_init(const char *dir, uint64_t seed);

/* One call in so many fails, or is short; 0: none. */
void faulty_disk_fail(unsigned writes, unsigned reads);
/* Every call takes so much longer at most; 0: as long as it takes. */
void faulty_disk_delay(unsigned us);
/* How many calls failed. */
uint64_t faulty_disk_failures(void);
/* What writes that were short have put there, in this life. */
uint64_t faulty_disk_left_over(void);

/*
 * From the write after so many on, of which a part is done, nothing changes
 * any more: as if the process had been killed there.
 */
void faulty_disk_die_in(unsigned writes);
bool faulty_disk_is_dead(void);
/*
 * The power was cut: pages of any file are zero, files are cut or longer than
 * what was written, were never made, or are there again that were unlinked.
 */
void faulty_disk_lose_pages(void);
/* For the next process. */
void faulty_disk_revive(void);

/* Bytes of all files. */
uint64_t faulty_disk_used(void);
/* What statvfs shall say that there is; 0: what the machine has. */
void faulty_disk_set_capacity(uint64_t bytes);

/* clock_ms() goes on by so much at once. */
void faulty_disk_pass_ms(int64_t ms);

#endif
