--
-- PostgreSQL database dump
--



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

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


ALTER TABLE public.alembic_version OWNER TO postgres;

--
-- Name: guilty; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.guilty (
    id integer NOT NULL,
    function character varying,
    module character varying,
    comment character varying,
    hide boolean DEFAULT false NOT NULL
);


ALTER TABLE public.guilty OWNER TO postgres;

--
-- Name: guilty_blacklisted; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.guilty_blacklisted (
    id integer NOT NULL,
    function character varying,
    module character varying
);


ALTER TABLE public.guilty_blacklisted OWNER TO postgres;

--
-- Name: guilty_blacklisted_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.guilty_blacklisted_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.guilty_blacklisted_id_seq OWNER TO postgres;

--
-- Name: guilty_blacklisted_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.guilty_blacklisted_id_seq OWNED BY public.guilty_blacklisted.id;


--
-- Name: guilty_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.guilty_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.guilty_id_seq OWNER TO postgres;

--
-- Name: guilty_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.guilty_id_seq OWNED BY public.guilty.id;


--
-- Name: records; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.records (
    id integer NOT NULL,
    architecture text,
    bios_version text,
    board_name text,
    build text NOT NULL,
    classification text NOT NULL,
    cpu_model text,
    event_id text,
    external boolean,
    host_type text,
    kernel_version text,
    machine_id text,
    payload_version integer,
    record_version integer,
    severity integer,
    system_name text,
    timestamp_client numeric,
    timestamp_server numeric NOT NULL,
    payload text NOT NULL,
    processed boolean,
    guilty_id integer
);


ALTER TABLE public.records OWNER TO postgres;

--
-- Name: records_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.records_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.records_id_seq OWNER TO postgres;

--
-- Name: records_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.records_id_seq OWNED BY public.records.id;


--
-- Name: guilty id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.guilty ALTER COLUMN id SET DEFAULT nextval('public.guilty_id_seq'::regclass);


--
-- Name: guilty_blacklisted id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.guilty_blacklisted ALTER COLUMN id SET DEFAULT nextval('public.guilty_blacklisted_id_seq'::regclass);


--
-- Name: records id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.records ALTER COLUMN id SET DEFAULT nextval('public.records_id_seq'::regclass);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.alembic_version (version_num) FROM stdin;
ac1c5921bf2f
\.


--
-- Data for Name: guilty; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.guilty (id, function, module, comment, hide) FROM stdin;
1	g_assertion_message()	libglib-2.0.so.0	known since 3.2	f
2	noise()	bin	\N	t
3	plain()	bin	\N	f
4	nothing	\N	xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx	f
\.


--
-- Data for Name: guilty_blacklisted; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.guilty_blacklisted (id, function, module) FROM stdin;
1	my_abort()	libmy.so.1
2	raise()	libc.so.6
3	anywhere	\N
4	\N	m
\.


--
-- Data for Name: records; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.records (id, architecture, bios_version, board_name, build, classification, cpu_model, event_id, external, host_type, kernel_version, machine_id, payload_version, record_version, severity, system_name, timestamp_client, timestamp_server, payload, processed, guilty_id) FROM stdin;
1	x86_64	1.2	Board|X	41890	org.clearlinux/hello/world	CPU	84dcb7c607ee90b2cae721fbcd896b5f	f	Vendor|Box|1	6.1.2-3	5eed0000000000000000000000000001	1	4	1	clear-linux-os	1537000000	1537000010.73918	hello\n\tworld\\n\\N\\.\r\n	f	\N
2	x86_64	N/A	N/A	2980	org.clearlinux/crash/clr	N/A	N/A	t	blank|blank|blank	4.2.0-120	66c196ce4222dd761470da5e7e35f6f1	1	2	3	clear-linux-os	1537000020	1537000030	Process: /bin/x\nPID: 1\nSignal: 6\nBacktrace (TID 1):\n#0 my_abort() - [libmy.so.1]\n#1 g_assertion_message() - [libglib-2.0.so.0] - x.c:3\n#2 main() - [x]\n	t	1
3	armv7l			16.04	a/b/c		N/A	\N		4.4.0-generic	m é ®	\N	1	2	\N	\N	1537000025.5	\b\f\v\\x41 é	f	\N
4	x86_64	\N	\N	7	a/b/c	\N	N/A	f	h	5.4.1	m2	2	3	4	fedora	1537000040	1537000050		f	\N
5	x86_64			not a build	a/b/c		N/A	f	h	5.4.1	m2	2	3	4	fedora	1537000040	1537000051	bad build	f	\N
6	x86_64			8	a//c		N/A	f	h	5.4.1	m2	2	3	4	fedora	1537000040	1537000052	bad classification	f	\N
7	x86_64			8	a/b/c		N/A	f	h	5.4.1	m2	2	3	4	fedora	100000000000000000000	1537000053	bad time	f	\N
\.


--
-- Name: guilty_blacklisted_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.guilty_blacklisted_id_seq', 4, true);


--
-- Name: guilty_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.guilty_id_seq', 4, true);


--
-- Name: records_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.records_id_seq', 7, true);


--
-- Name: guilty_blacklisted guilty_blacklisted_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.guilty_blacklisted
    ADD CONSTRAINT guilty_blacklisted_pkey PRIMARY KEY (id);


--
-- Name: guilty guilty_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.guilty
    ADD CONSTRAINT guilty_pkey PRIMARY KEY (id);


--
-- Name: records records_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.records
    ADD CONSTRAINT records_pkey PRIMARY KEY (id);


--
-- Name: guilty unique_guilty_constraint; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.guilty
    ADD CONSTRAINT unique_guilty_constraint UNIQUE (function, module);


--
-- Name: records records_guilty_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.records
    ADD CONSTRAINT records_guilty_id_fkey FOREIGN KEY (guilty_id) REFERENCES public.guilty(id);


--
-- PostgreSQL database dump complete
--


