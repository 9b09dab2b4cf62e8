a--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = off;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET escape_string_warning = off;
SET row_security = off;

--
-- Data for Name: collection; Type: TABLE DATA; Schema: public; Owner: osmo
--

INSERT INTO public.collection (id, dataset_id, version_id) VALUES ('0c9w2m3wR3qv7hJrmZ8qLg', 'Yb3kq0HnSHuGuLxg2ZfPzA', '2');
INSERT INTO public.collection (id, dataset_id, version_id) VALUES ('0c9w2m3wR3qv7hJrmZ8qLg', '-dashDASHdash_22charsx', '1');


--
-- Data for Name: dataset; Type: TABLE DATA; Schema: public; Owner: osmo
--

INSERT INTO public.dataset (name, id, created_by, created_date, is_collection, labels, hash_location, hash_location_size, last_version, bucket) VALUES ('imagenet', 'Yb3kq0HnSHuGuLxg2ZfPzA', 'ada@example.com', '2026-05-01 12:00:00', false, '{"n": 12345678901234567890.5, "team": "vision"}', 's3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/hashes', 140737488, 4, 'production');
INSERT INTO public.dataset (name, id, created_by, created_date, is_collection, labels, hash_location, hash_location_size, last_version, bucket) VALUES ('nasty-labels', '-dashDASHdash_22charsx', 'tab	here
newline \\N back\\slash "dq" ''sq''  \\. $$ é 日本 😀', '2026-05-02 12:00:00.123456', false, '{"nl": "a\\nb", "é": "日本 😀", "ctl": "\\u0001\\u001f", "back": "C:\\\\temp\\\\new \\\\N \\\\.", "deep": {"a": [1, -2.50, 1000, true]}, "null": null, "quote": "say \\"hi\\" it''s", "tab\\tkey": "a\\tb"}', 's3://prod/data/-dashDASHdash_22charsx/hashes', 0, 3, 'production');
INSERT INTO public.dataset (name, id, created_by, created_date, is_collection, labels, hash_location, hash_location_size, last_version, bucket) VALUES ('nulls', 'nullsnullsnullsnullsxx', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'production');
INSERT INTO public.dataset (name, id, created_by, created_date, is_collection, labels, hash_location, hash_location_size, last_version, bucket) VALUES ('empty', 'emptyemptyemptyemptyxx', '', '2026-05-03 00:00:00', false, '{}', '', 0, 1, 'production');
INSERT INTO public.dataset (name, id, created_by, created_date, is_collection, labels, hash_location, hash_location_size, last_version, bucket) VALUES ('legacy', 'legacylegacylegacyxxxx', '\\N', '2024-01-31 23:59:59', false, '{}', 's3://prod/old/legacy', 77, 1, 'production');
INSERT INTO public.dataset (name, id, created_by, created_date, is_collection, labels, hash_location, hash_location_size, last_version, bucket) VALUES ('robots', '0c9w2m3wR3qv7hJrmZ8qLg', '\\.', '2026-05-04 00:00:00', true, '{"owner": "lab"}', NULL, NULL, NULL, 'production');
INSERT INTO public.dataset (name, id, created_by, created_date, is_collection, labels, hash_location, hash_location_size, last_version, bucket) VALUES ('imagenet', 'archiveArchiveArchivex', 'bob', '2026-05-05 00:00:00', false, '{}', 's3://arch/x', 1, 1, 'archive');
INSERT INTO public.dataset (name, id, created_by, created_date, is_collection, labels, hash_location, hash_location_size, last_version, bucket) VALUES ('bad name;', 'badbadbadbadbadbadbadx', 'eve', '2026-05-06 00:00:00', false, '{}', 's3://prod/x', 1, 1, 'production');


--
-- Data for Name: dataset_tag; Type: TABLE DATA; Schema: public; Owner: osmo
--

INSERT INTO public.dataset_tag (dataset_id, version_id, tag) VALUES ('Yb3kq0HnSHuGuLxg2ZfPzA', '2', 'latest');
INSERT INTO public.dataset_tag (dataset_id, version_id, tag) VALUES ('Yb3kq0HnSHuGuLxg2ZfPzA', '1', 'baseline');
INSERT INTO public.dataset_tag (dataset_id, version_id, tag) VALUES ('Yb3kq0HnSHuGuLxg2ZfPzA', '1', '2');
INSERT INTO public.dataset_tag (dataset_id, version_id, tag) VALUES ('Yb3kq0HnSHuGuLxg2ZfPzA', '2', '7');
INSERT INTO public.dataset_tag (dataset_id, version_id, tag) VALUES ('-dashDASHdash_22charsx', '1', 'latest');
INSERT INTO public.dataset_tag (dataset_id, version_id, tag) VALUES ('emptyemptyemptyemptyxx', '1', 'latest');
INSERT INTO public.dataset_tag (dataset_id, version_id, tag) VALUES ('legacylegacylegacyxxxx', '1', 'latest');


--
-- Data for Name: dataset_version; Type: TABLE DATA; Schema: public; Owner: osmo
--

INSERT INTO public.dataset_version (dataset_id, version_id, location, status, created_by, created_date, last_used, last_updated, size, checksum, retention_policy, metadata) VALUES ('Yb3kq0HnSHuGuLxg2ZfPzA', '1', 's3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/1.json', 'READY', 'ada@example.com', '2026-05-01 12:00:00', '2026-05-20 08:30:00', '2026-05-01 12:00:00', 3145728, '9e107d9d372bb6826bd81d3542a419d6', '30 days', '{"description": ""}');
INSERT INTO public.dataset_version (dataset_id, version_id, location, status, created_by, created_date, last_used, last_updated, size, checksum, retention_policy, metadata) VALUES ('Yb3kq0HnSHuGuLxg2ZfPzA', '2', 's3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/2.json', 'READY', 'ada@example.com', '2026-05-03 12:00:00', '2026-05-21 08:30:00', NULL, 7340032, '5d41402abc4b2a76b9719d911017c592', NULL, '{"default": {"wfid": "wf-1", "input_data": ["a\\tb", "c\\\\d"]}, "description": "second"}');
INSERT INTO public.dataset_version (dataset_id, version_id, location, status, created_by, created_date, last_used, last_updated, size, checksum, retention_policy, metadata) VALUES ('Yb3kq0HnSHuGuLxg2ZfPzA', '3', 's3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/3.json', 'PENDING_DELETE', 'ada@example.com', '2026-05-04 12:00:00', NULL, NULL, 7340033, '5d41402abc4b2a76b9719d911017c593', NULL, '{}');
INSERT INTO public.dataset_version (dataset_id, version_id, location, status, created_by, created_date, last_used, last_updated, size, checksum, retention_policy, metadata) VALUES ('Yb3kq0HnSHuGuLxg2ZfPzA', '4', 's3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/4.json', 'PENDING', 'ada@example.com', '2026-05-05 12:00:00', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.dataset_version (dataset_id, version_id, location, status, created_by, created_date, last_used, last_updated, size, checksum, retention_policy, metadata) VALUES ('-dashDASHdash_22charsx', '1', 's3://prod/data/-dashDASHdash_22charsx/man''ifests/	"1\\.json', 'READY', 'it''s\\me', '2026-05-02 12:00:00.999999', NULL, NULL, 9223372036854775807, 'x', NULL, NULL);
INSERT INTO public.dataset_version (dataset_id, version_id, location, status, created_by, created_date, last_used, last_updated, size, checksum, retention_policy, metadata) VALUES ('-dashDASHdash_22charsx', '3', 's3://prod/data/-dashDASHdash_22charsx/manifests/3.json', 'DELETED', NULL, '2026-05-02 12:00:00', NULL, NULL, 1, 'y', NULL, '{"note": "line\\nbreak and \\"quotes\\" and \\\\backslash"}');
INSERT INTO public.dataset_version (dataset_id, version_id, location, status, created_by, created_date, last_used, last_updated, size, checksum, retention_policy, metadata) VALUES ('emptyemptyemptyemptyxx', '1', 's3://prod/data/emptyemptyemptyemptyxx/manifests/1.json', 'READY', '', '2026-05-03 00:00:00', NULL, NULL, 0, '', NULL, '{}');
INSERT INTO public.dataset_version (dataset_id, version_id, location, status, created_by, created_date, last_used, last_updated, size, checksum, retention_policy, metadata) VALUES ('legacylegacylegacyxxxx', '1', 's3://prod/old/legacy/', 'READY', 'old', '2024-01-31 23:59:59', NULL, NULL, 77, '', NULL, '{}');
INSERT INTO public.dataset_version (dataset_id, version_id, location, status, created_by, created_date, last_used, last_updated, size, checksum, retention_policy, metadata) VALUES ('archiveArchiveArchivex', '1', 's3://arch/x/manifests/1.json', 'READY', 'bob', '2026-05-05 00:00:00', NULL, NULL, 1, 'z', NULL, '{}');
INSERT INTO public.dataset_version (dataset_id, version_id, location, status, created_by, created_date, last_used, last_updated, size, checksum, retention_policy, metadata) VALUES ('badbadbadbadbadbadbadx', '1', 's3://prod/x/manifests/1.json', 'READY', 'eve', '2026-05-06 00:00:00', NULL, NULL, 1, 'z', NULL, '{}');


--
-- PostgreSQL database dump complete
--


