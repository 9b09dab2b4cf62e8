a--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: a-b; Type: SCHEMA; Schema: -; Owner: osmo
--

CREATE SCHEMA "a-b";


ALTER SCHEMA "a-b" OWNER TO osmo;

--
-- Name: credential_type; Type: TYPE; Schema: public; Owner: osmo
--

CREATE TYPE public.credential_type AS ENUM (
    'GENERIC',
    'DATA'
);


ALTER TYPE public.credential_type OWNER TO osmo;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: Dataset; Type: TABLE; Schema: a-b; Owner: osmo
--

CREATE TABLE "a-b"."Dataset" (
    name text,
    id text
);


ALTER TABLE "a-b"."Dataset" OWNER TO osmo;

--
-- Name: bucket; Type: TABLE; Schema: public; Owner: osmo
--

CREATE TABLE public.bucket (
    name text,
    dataset text,
    "odd ""name" text
);


ALTER TABLE public.bucket OWNER TO osmo;

--
-- Name: collection; Type: TABLE; Schema: public; Owner: osmo
--

CREATE TABLE public.collection (
    version_id text,
    id text,
    dataset_id text
);


ALTER TABLE public.collection OWNER TO osmo;

--
-- Name: dataset; Type: TABLE; Schema: public; Owner: osmo
--

CREATE TABLE public.dataset (
    bucket text NOT NULL,
    labels jsonb,
    id text NOT NULL,
    is_collection boolean,
    hash_location_size bigint,
    "Mixed, (case)" text DEFAULT 'a, (b'::text,
    name text NOT NULL,
    created_date timestamp without time zone,
    hash_location text,
    last_version integer,
    created_by text
);


ALTER TABLE public.dataset OWNER TO osmo;

--
-- Name: dataset_file; Type: TABLE; Schema: public; Owner: osmo
--

CREATE TABLE public.dataset_file (
    dataset_id text,
    body bytea,
    n numeric,
    at timestamp with time zone
);


ALTER TABLE public.dataset_file OWNER TO osmo;

--
-- Name: dataset_tag; Type: TABLE; Schema: public; Owner: osmo
--

CREATE TABLE public.dataset_tag (
    tag text,
    version_id text,
    dataset_id text
);


ALTER TABLE public.dataset_tag OWNER TO osmo;

--
-- Name: dataset_version; Type: TABLE; Schema: public; Owner: osmo
--

CREATE TABLE public.dataset_version (
    metadata jsonb,
    checksum text,
    size bigint,
    last_updated timestamp without time zone,
    last_used timestamp without time zone,
    created_date timestamp without time zone,
    created_by text,
    status text,
    location text,
    version_id text NOT NULL,
    dataset_id text NOT NULL,
    retention_policy interval,
    extra double precision DEFAULT '-0.00000015'::numeric,
    CONSTRAINT size_is_positive CHECK ((size >= 0))
);


ALTER TABLE public.dataset_version OWNER TO osmo;

--
-- Name: workflow; Type: TABLE; Schema: public; Owner: osmo
--

CREATE TABLE public.workflow (
    id integer NOT NULL,
    spec text,
    kind public.credential_type
);


ALTER TABLE public.workflow OWNER TO osmo;

--
-- Name: workflow_id_seq; Type: SEQUENCE; Schema: public; Owner: osmo
--

CREATE SEQUENCE public.workflow_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.workflow_id_seq OWNER TO osmo;

--
-- Name: workflow_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: osmo
--

ALTER SEQUENCE public.workflow_id_seq OWNED BY public.workflow.id;


--
-- Name: workflow id; Type: DEFAULT; Schema: public; Owner: osmo
--

ALTER TABLE ONLY public.workflow ALTER COLUMN id SET DEFAULT nextval('public.workflow_id_seq'::regclass);


--
-- Data for Name: Dataset; Type: TABLE DATA; Schema: a-b; Owner: osmo
--

COPY "a-b"."Dataset" (name, id) FROM stdin;
not	ours
\.


--
-- Data for Name: bucket; Type: TABLE DATA; Schema: public; Owner: osmo
--

COPY public.bucket (name, dataset, "odd ""name") FROM stdin;
production	INSERT INTO public.dataset VALUES ('no');\n\\.\nCOPY public.dataset (id) FROM stdin;	x
\N		\\N
\.


--
-- Data for Name: collection; Type: TABLE DATA; Schema: public; Owner: osmo
--

COPY public.collection (version_id, id, dataset_id) FROM stdin;
2	0c9w2m3wR3qv7hJrmZ8qLg	Yb3kq0HnSHuGuLxg2ZfPzA
1	0c9w2m3wR3qv7hJrmZ8qLg	-dashDASHdash_22charsx
\.


--
-- Data for Name: dataset; Type: TABLE DATA; Schema: public; Owner: osmo
--

COPY public.dataset (bucket, labels, id, is_collection, hash_location_size, "Mixed, (case)", name, created_date, hash_location, last_version, created_by) FROM stdin;
production	{"n": 12345678901234567890.5, "team": "vision"}	Yb3kq0HnSHuGuLxg2ZfPzA	f	140737488	a, (b	imagenet	2026-05-01 12:00:00	s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/hashes	4	ada@example.com
production	{"nl": "a\\nb", "é": "日本 😀", "ctl": "\\u0001\\u001f", "back": "C:\\\\temp\\\\new \\\\N \\\\.", "deep": {"a": [1, -2.50, 1000, true]}, "null": null, "quote": "say \\"hi\\" it's", "tab\\tkey": "a\\tb"}	-dashDASHdash_22charsx	f	0	a, (b	nasty-labels	2026-05-02 12:00:00.123456	s3://prod/data/-dashDASHdash_22charsx/hashes	3	tab\there\nnewline \\N back\\slash "dq" 'sq' \b\f\v\r \\. $$ é 日本 😀
production	\N	nullsnullsnullsnullsxx	\N	\N	a, (b	nulls	\N	\N	\N	\N
production	{}	emptyemptyemptyemptyxx	f	0	a, (b	empty	2026-05-03 00:00:00		1	
production	{}	legacylegacylegacyxxxx	f	77	a, (b	legacy	2024-01-31 23:59:59	s3://prod/old/legacy	1	\\N
production	{"owner": "lab"}	0c9w2m3wR3qv7hJrmZ8qLg	t	\N	a, (b	robots	2026-05-04 00:00:00	\N	\N	\\.
archive	{}	archiveArchiveArchivex	f	1	a, (b	imagenet	2026-05-05 00:00:00	s3://arch/x	1	bob
production	{}	badbadbadbadbadbadbadx	f	1	a, (b	bad name;	2026-05-06 00:00:00	s3://prod/x	1	eve
\.


--
-- Data for Name: dataset_file; Type: TABLE DATA; Schema: public; Owner: osmo
--

COPY public.dataset_file (dataset_id, body, n, at) FROM stdin;
x	\\x00ff5c27	-1.50	2026-05-01 00:00:00+00
\N	\N	NaN	\N
\.


--
-- Data for Name: dataset_tag; Type: TABLE DATA; Schema: public; Owner: osmo
--

COPY public.dataset_tag (tag, version_id, dataset_id) FROM stdin;
latest	2	Yb3kq0HnSHuGuLxg2ZfPzA
baseline	1	Yb3kq0HnSHuGuLxg2ZfPzA
2	1	Yb3kq0HnSHuGuLxg2ZfPzA
7	2	Yb3kq0HnSHuGuLxg2ZfPzA
latest	1	-dashDASHdash_22charsx
latest	1	emptyemptyemptyemptyxx
latest	1	legacylegacylegacyxxxx
\.


--
-- Data for Name: dataset_version; Type: TABLE DATA; Schema: public; Owner: osmo
--

COPY public.dataset_version (metadata, checksum, size, last_updated, last_used, created_date, created_by, status, location, version_id, dataset_id, retention_policy, extra) FROM stdin;
{"description": ""}	9e107d9d372bb6826bd81d3542a419d6	3145728	2026-05-01 12:00:00	2026-05-20 08:30:00	2026-05-01 12:00:00	ada@example.com	READY	s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/1.json	1	Yb3kq0HnSHuGuLxg2ZfPzA	30 days	-1.5e-07
{"default": {"wfid": "wf-1", "input_data": ["a\\tb", "c\\\\d"]}, "description": "second"}	5d41402abc4b2a76b9719d911017c592	7340032	\N	2026-05-21 08:30:00	2026-05-03 12:00:00	ada@example.com	READY	s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/2.json	2	Yb3kq0HnSHuGuLxg2ZfPzA	\N	-1.5e-07
{}	5d41402abc4b2a76b9719d911017c593	7340033	\N	\N	2026-05-04 12:00:00	ada@example.com	PENDING_DELETE	s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/3.json	3	Yb3kq0HnSHuGuLxg2ZfPzA	\N	-1.5e-07
\N	\N	\N	\N	\N	2026-05-05 12:00:00	ada@example.com	PENDING	s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/4.json	4	Yb3kq0HnSHuGuLxg2ZfPzA	\N	-1.5e-07
\N	x	9223372036854775807	\N	\N	2026-05-02 12:00:00.999999	it's\\me	READY	s3://prod/data/-dashDASHdash_22charsx/man'ifests/\t"1\\.json	1	-dashDASHdash_22charsx	\N	-1.5e-07
{"note": "line\\nbreak and \\"quotes\\" and \\\\backslash"}	y	1	\N	\N	2026-05-02 12:00:00	\N	DELETED	s3://prod/data/-dashDASHdash_22charsx/manifests/3.json	3	-dashDASHdash_22charsx	\N	-1.5e-07
{}		0	\N	\N	2026-05-03 00:00:00		READY	s3://prod/data/emptyemptyemptyemptyxx/manifests/1.json	1	emptyemptyemptyemptyxx	\N	-1.5e-07
{}		77	\N	\N	2024-01-31 23:59:59	old	READY	s3://prod/old/legacy/	1	legacylegacylegacyxxxx	\N	-1.5e-07
{}	z	1	\N	\N	2026-05-05 00:00:00	bob	READY	s3://arch/x/manifests/1.json	1	archiveArchiveArchivex	\N	-1.5e-07
{}	z	1	\N	\N	2026-05-06 00:00:00	eve	READY	s3://prod/x/manifests/1.json	1	badbadbadbadbadbadbadx	\N	-1.5e-07
\.


--
-- Data for Name: workflow; Type: TABLE DATA; Schema: public; Owner: osmo
--

COPY public.workflow (id, spec, kind) FROM stdin;
1	a: |\n\t$x$ 'quoted' -- no comment\n\\.\n	DATA
2	/* open	\N
\.


--
-- Name: workflow_id_seq; Type: SEQUENCE SET; Schema: public; Owner: osmo
--

SELECT pg_catalog.setval('public.workflow_id_seq', 2, true);


--
-- Name: dataset dataset_pkey; Type: CONSTRAINT; Schema: public; Owner: osmo
--

ALTER TABLE ONLY public.dataset
    ADD CONSTRAINT dataset_pkey PRIMARY KEY (bucket, name);


--
-- Name: workflow workflow_pkey; Type: CONSTRAINT; Schema: public; Owner: osmo
--

ALTER TABLE ONLY public.workflow
    ADD CONSTRAINT workflow_pkey PRIMARY KEY (id);


--
-- PostgreSQL database dump complete
--


