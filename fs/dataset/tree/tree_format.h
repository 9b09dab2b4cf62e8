/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree file, version 1.  It is local: written and read by one build of
 * datasetfs on one machine, thrown away and made again when anything about it
 * is not as expected.  Little-endian.
 *
 *	block 0			header, TREE_HEADER_SIZE bytes used
 *	extents			of up to TREE_EXTENT_BLOCKS blocks, each of one
 *				section, in the order they became full
 *	trailer			not aligned:
 *		for each section	le32 first block of each of its extents
 *		for each section	le64 XXH3-64 of each of its blocks
 *		for each prefix		le16 length, bytes
 *
 * header:
 *	 0  magic "dsfs-tree", NUL filled to 12
 *	12  le32 version
 *	16  identity[32]
 *	48  le32 entries, files, directories
 *	60  le32 duplicates, clashes, rejected, repaired, faults
 *	80  le64 total size of the files
 *	88  le64 checksum of the tree: XXH3-64 of bytes 48..59, all block
 *	    hashes and all prefixes, so equal for equal content
 *	96  le32 blocks of the sections ENTRIES, DIRS, HEAP
 *	108 le32 number of prefixes
 *	112 le64 offset, le64 length, le64 XXH3-64 of the trailer
 *	136 le64 XXH3-64 of bytes 0..135
 *
 * ENTRIES: entry 0 is the root; then the children of each directory, sorted by
 * name, directories in pre-order: sorted by path, component by component.
 *	 0  files: le64 size; directories: le32 number, le32 0
 *	 8  md5[16], 24 le32 parts; zero without TREE_F_MD5
 *	28  le32 entry of the parent, always lower than the entry's own number
 *	32  heap offset: le32 low, u8 high
 *	37  u8 length of the name
 *	38  le16 prefix
 *	40  u8 flags, u8 fault
 *	42  le16 length of the source's text in the heap
 *	44  name[20]: its first bytes, filled with NUL
 *
 * DIRS: one for each directory, in the order of their entries.
 *	 0  le32 first child, number of children, directories among them, 0
 *
 * HEAP: for each entry, in order, what is not empty of: the rest of a name
 * longer than 20; the source's text; with TREE_F_ETAG_TEXT le16 length and
 * the etag.
 *
 * A file's etag is, without TREE_F_ETAG_TEXT, its MD5 in lower-case digits and
 * "-parts" unless that is 0 (or empty without TREE_F_MD5).  Its source is
 * prefix "/" etag with TREE_F_SOURCE_ETAG, prefix "/" text with
 * TREE_F_SOURCE_TAIL, else the text alone.
 */
#ifndef DATASETFS_DATASET_TREE_FORMAT_H
#define DATASETFS_DATASET_TREE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define TREE_VERSION 1u
#define TREE_MAGIC "dsfs-tree\0\0"	/* 12 bytes with its last NUL */
#define TREE_MAGIC_SIZE 12u
_Static_assert(sizeof(TREE_MAGIC) == TREE_MAGIC_SIZE, "magic");

#define TREE_BLOCK 4096u
#define TREE_EXTENT_BLOCKS 256u		/* written by one pwrite */
#define TREE_EXTENT (TREE_EXTENT_BLOCKS * TREE_BLOCK)

enum tree_section {
	TREE_ENTRIES, TREE_DIRS, TREE_HEAP, TREE_SECTIONS,
};

#define TREE_HEADER_SIZE 144u
#define TREE_H_VERSION 12u
#define TREE_H_IDENTITY 16u
#define TREE_H_COUNTS 48u		/* u32: entries, files, dirs */
#define TREE_H_NOTES 60u		/* u32: duplicates ... faults */
#define TREE_H_TOTAL 80u
#define TREE_H_CHECKSUM 88u
#define TREE_H_BLOCKS 96u		/* u32 a section */
#define TREE_H_PREFIXES 108u
#define TREE_H_TRAILER 112u		/* u64: offset, length, XXH3 */
#define TREE_H_SELF 136u
_Static_assert(TREE_H_SELF + 8 == TREE_HEADER_SIZE, "header");

#define TREE_ENTRY_SIZE 64u
#define TREE_ENTRIES_A_BLOCK (TREE_BLOCK / TREE_ENTRY_SIZE)
#define TREE_E_SIZE 0u
#define TREE_E_MD5 8u
#define TREE_E_PARTS 24u
#define TREE_E_PARENT 28u
#define TREE_E_HEAP 32u
#define TREE_E_HEAP_HIGH 36u
#define TREE_E_NAME_LEN 37u
#define TREE_E_PREFIX 38u
#define TREE_E_FLAGS 40u
#define TREE_E_FAULT 41u
#define TREE_E_SOURCE_LEN 42u
#define TREE_E_NAME 44u
#define TREE_NAME_INLINE 20u
_Static_assert(TREE_E_NAME + TREE_NAME_INLINE == TREE_ENTRY_SIZE, "entry");

#define TREE_F_DIR 0x01u
#define TREE_F_MD5 0x02u
#define TREE_F_HASHED 0x04u
#define TREE_F_ETAG_TEXT 0x08u
#define TREE_F_SOURCE_ETAG 0x10u
#define TREE_F_SOURCE_TAIL 0x20u

#define TREE_DIR_SIZE 16u

#define TREE_HEAP_MAX ((uint64_t)1 << 40)
#define TREE_TRAILER_MAX ((size_t)1 << 30)	/* held while a tree is open */
#define TREE_PREFIXES_MAX 4096u
#define TREE_PREFIX_BYTES_MAX ((uint32_t)1 << 20)

#endif
