/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership made visible: a local that owns memory or a descriptor carries a
 * cleanup attribute, and leaves the function only by steal_pointer() or
 * steal_fd().  Locks are never released by attribute (clang's thread-safety
 * analysis would call that a false alarm): unlock explicitly.
 */
#ifndef DATASETFS_BASE_CLEANUP_H
#define DATASETFS_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Defines cleanup_NAME for "type *" freed by fn, which must accept NULL:
 *	DEFINE_CLEANUP(tree, struct tree, tree_free)
 *	cleanup_tree struct tree *t = NULL;
 * The attribute itself is written once beside each type, as
 *	#define cleanup_tree __attribute__((cleanup(tree_cleanup_)))
 */
#define DEFINE_CLEANUP(name, type, fn)                                         \
	static inline void name##_cleanup_(type **p)                           \
	{                                                                      \
		if (*p)                                                        \
			fn(*p);                                                \
	}                                                                      \
	struct cleanup_##name##_semicolon_

static inline void free_cleanup_(void *p)
{
	free(*(void **)p);
}
#define cleanup_free __attribute__((cleanup(free_cleanup_)))

static inline void fd_cleanup_(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define cleanup_fd __attribute__((cleanup(fd_cleanup_)))

static inline void file_cleanup_(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}
#define cleanup_file __attribute__((cleanup(file_cleanup_)))

static inline void *steal_pointer_(void *pp)
{
	void **p = pp;
	void *v = *p;

	*p = NULL;
	return v;
}
/* The value of *pp, which becomes NULL: ownership leaves the scope. */
#define steal_pointer(pp) ((__typeof__(*(pp)))steal_pointer_(pp))

static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

#endif
