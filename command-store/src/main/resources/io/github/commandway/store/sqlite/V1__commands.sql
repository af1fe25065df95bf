create table cw_placeholder(id integer);
