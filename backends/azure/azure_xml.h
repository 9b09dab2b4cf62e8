/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page of a list as Azure's blob service answers it; see base/xml.h for
 * what holds of all XML.  Directories, which an account with a hierarchical
 * namespace (or Hadoop's client in another) keeps as blobs of no bytes, are
 * left out: they are no objects.
 */
#ifndef DATASETFS_AZURE_XML_H
#define DATASETFS_AZURE_XML_H

#include "backends/object/listing.h"
#include "backends/base/xml.h"

struct azure_list {
	struct xml_error error;
	struct listing names;	/* decoded, in the byte order of the keys */
	char *marker;		/* of the next page; NULL: the last */
};
int azure_xml_list(struct azure_list *out, const void *xml, size_t len,
		   struct err *err) MUST_CHECK;
void azure_list_release(struct azure_list *list);
#define cleanup_azure_list __attribute__((cleanup(azure_list_release)))

#endif
