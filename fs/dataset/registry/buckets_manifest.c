/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the catalog of a bucket lies, and what stands beside it: manifests of
 * our own making are read there whatever the entries' places are.
 */
#include <config.h>

#include "fs/dataset/registry/buckets_impl.h"

const char *bucket_catalog_uri(const struct bucket *b)
{
	return backend_name(b->catalog_place->backend);
}

struct backend *bucket_catalog_backend(struct bucket *b)
{
	return b->catalog_place->backend;
}

int bucket_locate_manifest(struct bucket *b, const char *uri,
			   struct backend **backend, const char **key,
			   struct err *err)
{
	const char *below = uri_below(&b->catalog_place->uri, uri);

	if (!below || !*below)
		return bucket_locate(b, uri, backend, key, err);
	*backend = b->catalog_place->backend;
	*key = below;
	return 0;
}
