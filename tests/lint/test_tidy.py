"""What tidy.py must find, planted; and what it must leave alone."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy  # noqa: E402


def struct(fields, name="planted"):
    return "struct %s {\n%s};\n" % (name, "".join(f"    int field_{i};\n" for i in range(fields)))


def complaints(text, path="broker/planted.c"):
    t = tidy.Tidy(".", "build")
    t.structs(path, text)
    return t.problems


class StructsTest(unittest.TestCase):
    def test_a_struct_of_21_fields_is_found_and_one_of_20_is_not(self):
        self.assertEqual(complaints(struct(20)), [])
        self.assertRegex(complaints(struct(21))[0], "struct planted: 21 fields, over 20")

    def test_fields_that_share_a_type_count_each(self):
        fields = ", ".join(f"*field_{i}[2]" for i in range(21))
        self.assertEqual(len(complaints("struct planted {\n    char %s;\n};\n" % fields)), 1)

    def test_fields_of_a_nested_struct_without_a_name_count(self):
        nested = struct(20, "").replace("};", "} rest;")
        self.assertEqual(len(complaints("struct planted {\n    int first;\n%s};\n" % nested)), 1)

    def test_a_nested_struct_with_a_name_is_one_field_and_is_looked_at_itself(self):
        within = "struct planted {\n    int first;\n%s};\n"
        self.assertEqual(complaints(within % struct(20, "rest").replace("};", "} rest;")), [])
        self.assertEqual(len(complaints(within % struct(21, "rest").replace("};", "} rest;"))), 1)

    def test_a_static_struct_without_a_name_is_found(self):
        self.assertEqual(len(complaints("static " + struct(21, ""))), 1)

    def test_comments_parameters_and_enums_are_no_fields(self):
        text = """struct planted {
    enum { ONE, TWO, THREE } kind; /* of these; or of those; */
    void (*call)(int a, int b, void (*then)(int c, int d));
    int table[LENGTH(1, 2)], last;
};
"""
        self.assertEqual(list(tidy.structs_of(text)), [("planted", 4)])

    def test_tests_may_have_larger_ones(self):
        self.assertEqual(complaints(struct(21), "tests/planted.c"), [])


if __name__ == "__main__":
    unittest.main()
