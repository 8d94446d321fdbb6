DROP TABLE key_rotations;
DROP TABLE other_keys;
