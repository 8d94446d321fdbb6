DROP TABLE host_signatures;
