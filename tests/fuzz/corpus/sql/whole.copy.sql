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

--
-- Name: lie(); Type: FUNCTION; Schema: public; Owner: osmo
--

CREATE FUNCTION public.lie() RETURNS text
    LANGUAGE plpgsql
    AS $_$
BEGIN
    -- INSERT INTO public.dataset VALUES ('no', 'no');
    RETURN $inner$ INSERT INTO dataset (name) VALUES ('no'); $inner$ || '\.';
END;
$_$;


ALTER FUNCTION public.lie() OWNER TO osmo;

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
    id text NOT NULL,
    dataset_id text NOT NULL,
    version_id text NOT NULL
);


ALTER TABLE public.collection OWNER TO osmo;

--
-- Name: dataset; Type: TABLE; Schema: public; Owner: osmo
--

CREATE TABLE public.dataset (
    name text NOT NULL,
    id text NOT NULL,
    created_by text,
    created_date timestamp without time zone,
    is_collection boolean,
    labels jsonb,
    hash_location text,
    hash_location_size bigint,
    last_version integer,
    bucket text NOT NULL
);


ALTER TABLE public.dataset OWNER TO osmo;

--
-- Name: TABLE dataset; Type: COMMENT; Schema: public; Owner: osmo
--

COMMENT ON TABLE public.dataset IS 'INSERT INTO public.dataset (name, id) VALUES (''no'', ''no'');
COPY public.dataset (name, id) FROM stdin;
no	no
\.
/* and no end';


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
    dataset_id text NOT NULL,
    version_id text NOT NULL,
    tag text NOT NULL
);


ALTER TABLE public.dataset_tag OWNER TO osmo;

--
-- Name: dataset_version; Type: TABLE; Schema: public; Owner: osmo
--

CREATE TABLE public.dataset_version (
    dataset_id text NOT NULL,
    version_id text NOT NULL,
    location text,
    status text,
    created_by text,
    created_date timestamp without time zone,
    last_used timestamp without time zone,
    last_updated timestamp without time zone,
    size bigint,
    checksum text,
    retention_policy interval,
    metadata jsonb
);


ALTER TABLE public.dataset_version OWNER TO osmo;

--
-- Name: newest; Type: VIEW; Schema: public; Owner: osmo
--

CREATE VIEW public.newest AS
 SELECT dataset.id,
    'COPY public.dataset (id) FROM stdin;'::text AS lie
   FROM public.dataset;


ALTER TABLE public.newest OWNER TO osmo;

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

COPY public.collection (id, dataset_id, version_id) FROM stdin;
0c9w2m3wR3qv7hJrmZ8qLg	Yb3kq0HnSHuGuLxg2ZfPzA	2
0c9w2m3wR3qv7hJrmZ8qLg	-dashDASHdash_22charsx	1
\.


--
-- Data for Name: dataset; Type: TABLE DATA; Schema: public; Owner: osmo
--

COPY public.dataset (name, id, created_by, created_date, is_collection, labels, hash_location, hash_location_size, last_version, bucket) FROM stdin;
imagenet	Yb3kq0HnSHuGuLxg2ZfPzA	ada@example.com	2026-05-01 12:00:00	f	{"n": 12345678901234567890.5, "team": "vision"}	s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/hashes	140737488	4	production
nasty-labels	-dashDASHdash_22charsx	tab\there\nnewline \\N back\\slash "dq" 'sq' \b\f\v\r \\. $$ é 日本 😀	2026-05-02 12:00:00.123456	f	{"nl": "a\\nb", "é": "日本 😀", "ctl": "\\u0001\\u001f", "back": "C:\\\\temp\\\\new \\\\N \\\\.", "deep": {"a": [1, -2.50, 1000, true]}, "null": null, "quote": "say \\"hi\\" it's", "tab\\tkey": "a\\tb"}	s3://prod/data/-dashDASHdash_22charsx/hashes	0	3	production
nulls	nullsnullsnullsnullsxx	\N	\N	\N	\N	\N	\N	\N	production
empty	emptyemptyemptyemptyxx		2026-05-03 00:00:00	f	{}		0	1	production
legacy	legacylegacylegacyxxxx	\\N	2024-01-31 23:59:59	f	{}	s3://prod/old/legacy	77	1	production
robots	0c9w2m3wR3qv7hJrmZ8qLg	\\.	2026-05-04 00:00:00	t	{"owner": "lab"}	\N	\N	\N	production
imagenet	archiveArchiveArchivex	bob	2026-05-05 00:00:00	f	{}	s3://arch/x	1	1	archive
bad name;	badbadbadbadbadbadbadx	eve	2026-05-06 00:00:00	f	{}	s3://prod/x	1	1	production
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

COPY public.dataset_tag (dataset_id, version_id, tag) FROM stdin;
Yb3kq0HnSHuGuLxg2ZfPzA	2	latest
Yb3kq0HnSHuGuLxg2ZfPzA	1	baseline
Yb3kq0HnSHuGuLxg2ZfPzA	1	2
Yb3kq0HnSHuGuLxg2ZfPzA	2	7
-dashDASHdash_22charsx	1	latest
emptyemptyemptyemptyxx	1	latest
legacylegacylegacyxxxx	1	latest
\.


--
-- Data for Name: dataset_version; Type: TABLE DATA; Schema: public; Owner: osmo
--

COPY public.dataset_version (dataset_id, version_id, location, status, created_by, created_date, last_used, last_updated, size, checksum, retention_policy, metadata) FROM stdin;
Yb3kq0HnSHuGuLxg2ZfPzA	1	s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/1.json	READY	ada@example.com	2026-05-01 12:00:00	2026-05-20 08:30:00	2026-05-01 12:00:00	3145728	9e107d9d372bb6826bd81d3542a419d6	30 days	{"description": ""}
Yb3kq0HnSHuGuLxg2ZfPzA	2	s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/2.json	READY	ada@example.com	2026-05-03 12:00:00	2026-05-21 08:30:00	\N	7340032	5d41402abc4b2a76b9719d911017c592	\N	{"default": {"wfid": "wf-1", "input_data": ["a\\tb", "c\\\\d"]}, "description": "second"}
Yb3kq0HnSHuGuLxg2ZfPzA	3	s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/3.json	PENDING_DELETE	ada@example.com	2026-05-04 12:00:00	\N	\N	7340033	5d41402abc4b2a76b9719d911017c593	\N	{}
Yb3kq0HnSHuGuLxg2ZfPzA	4	s3://prod/data/Yb3kq0HnSHuGuLxg2ZfPzA/manifests/4.json	PENDING	ada@example.com	2026-05-05 12:00:00	\N	\N	\N	\N	\N	\N
-dashDASHdash_22charsx	1	s3://prod/data/-dashDASHdash_22charsx/man'ifests/\t"1\\.json	READY	it's\\me	2026-05-02 12:00:00.999999	\N	\N	9223372036854775807	x	\N	\N
-dashDASHdash_22charsx	3	s3://prod/data/-dashDASHdash_22charsx/manifests/3.json	DELETED	\N	2026-05-02 12:00:00	\N	\N	1	y	\N	{"note": "line\\nbreak and \\"quotes\\" and \\\\backslash"}
emptyemptyemptyemptyxx	1	s3://prod/data/emptyemptyemptyemptyxx/manifests/1.json	READY		2026-05-03 00:00:00	\N	\N	0		\N	{}
legacylegacylegacyxxxx	1	s3://prod/old/legacy/	READY	old	2024-01-31 23:59:59	\N	\N	77		\N	{}
archiveArchiveArchivex	1	s3://arch/x/manifests/1.json	READY	bob	2026-05-05 00:00:00	\N	\N	1	z	\N	{}
badbadbadbadbadbadbadx	1	s3://prod/x/manifests/1.json	READY	eve	2026-05-06 00:00:00	\N	\N	1	z	\N	{}
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
-- Name: collection collection_pkey; Type: CONSTRAINT; Schema: public; Owner: osmo
--

ALTER TABLE ONLY public.collection
    ADD CONSTRAINT collection_pkey PRIMARY KEY (id, dataset_id);


--
-- Name: dataset dataset_id_key; Type: CONSTRAINT; Schema: public; Owner: osmo
--

ALTER TABLE ONLY public.dataset
    ADD CONSTRAINT dataset_id_key UNIQUE (id);


--
-- Name: dataset dataset_pkey; Type: CONSTRAINT; Schema: public; Owner: osmo
--

ALTER TABLE ONLY public.dataset
    ADD CONSTRAINT dataset_pkey PRIMARY KEY (name, bucket);


--
-- Name: dataset_tag dataset_tag_pkey; Type: CONSTRAINT; Schema: public; Owner: osmo
--

ALTER TABLE ONLY public.dataset_tag
    ADD CONSTRAINT dataset_tag_pkey PRIMARY KEY (dataset_id, version_id, tag);


--
-- Name: dataset_version dataset_version_pkey; Type: CONSTRAINT; Schema: public; Owner: osmo
--

ALTER TABLE ONLY public.dataset_version
    ADD CONSTRAINT dataset_version_pkey PRIMARY KEY (dataset_id, version_id);


--
-- Name: workflow workflow_pkey; Type: CONSTRAINT; Schema: public; Owner: osmo
--

ALTER TABLE ONLY public.workflow
    ADD CONSTRAINT workflow_pkey PRIMARY KEY (id);


--
-- Name: dataset_version dataset_version_dataset_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: osmo
--

ALTER TABLE ONLY public.dataset_version
    ADD CONSTRAINT dataset_version_dataset_id_fkey FOREIGN KEY (dataset_id) REFERENCES public.dataset(id);


--
-- PostgreSQL database dump complete
--


