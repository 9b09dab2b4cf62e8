a--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'LATIN1';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

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
-- PostgreSQL database dump complete
--


