/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>

int main(void)
{
	fputs("datasetfs " PACKAGE_VERSION "\n", stdout);
	return 0;
}
