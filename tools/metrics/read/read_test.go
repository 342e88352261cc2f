package read

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func texts(s *Set) map[string][]string {
	m := map[string][]string{}
	for _, e := range s.Entries {
		m[e.ID] = e.Texts
	}
	return m
}

// TestForms reads each form without naming it.
func TestForms(t *testing.T) {
	want := map[string][]string{"1": {"a dog", "the dog"}, "2": {"a cat"}}
	for name, content := range map[string]string{
		"captions_val.json": `{"info": {"x": [1, {"y": 2}]}, "images": [{"id": 1}], "annotations": [
			{"image_id": 1, "id": 7, "caption": "a dog"}, {"image_id": 2, "caption": "a cat"}, {"image_id": 1, "caption": "the dog"}], "licenses": []}`,
		"list.json":     `[{"split": "test", "image_name": "1", "captions": ["a dog", "the dog"], "prediction": "x"}, {"image_name": "2", "captions": ["a cat"]}]`,
		"karpathy.json": `{"images": [{"split": "test", "filename": "1", "sentids": [0], "sentences": [{"raw": "a dog"}, {"raw": "the dog"}]}, {"split": "train", "filename": "3", "sentences": [{"raw": "no"}]}, {"split": "test", "cocoid": 2, "filename": "x", "sentences": [{"raw": "a cat"}]}], "dataset": "coco"}`,
		"x.token.txt":   "1#0\ta dog\n1#1\tthe dog\n2#0\ta cat\n",
		"crlf.txt":      "\ufeff1#0\ta dog\r\n\r\n1#1\tthe dog\r\n2#0\ta cat",
		"x.tsv":         "1\ta dog\n2\ta cat\n\n1\tthe dog\n",
		"x.csv":         "Image_ID,caption\n1,a dog\n2,\"a cat\"\n1,the dog\n",
		"x.jsonl":       `{"image_id": 1, "captions": ["a dog", "the dog"]}` + "\n" + `{"image": "2", "caption": "a cat"}` + "\n",
		"results.json":  `[{"image_id": 1, "caption": "a dog"}, {"image_id": 2, "caption": "a cat"}, {"image_id": 1, "caption": "the dog"}]`,
	} {
		s, err := References(write(t, name, content), Options{})
		require.NoError(t, err, name)
		require.Equal(t, want, texts(s), name)
	}
	for name, content := range map[string]string{
		"res.json":  `[{"image_id": 1, "caption": "a dog"}]`,
		"list.json": `[{"image_name": "1", "captions": ["q", "r"], "prediction": "a dog"}]`,
		"x.tsv":     "1\ta dog\n",
		"x.csv":     "filename,prediction\n1,a dog\n",
		"x.jsonl":   `{"id": 1, "prediction": "a dog"}`,
	} {
		s, err := Predictions(write(t, name, content), Options{})
		require.NoError(t, err, name)
		require.Equal(t, map[string][]string{"1": {"a dog"}}, texts(s), name)
	}
}

// TestFaults wants a message with the line and a way out.
func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		name, content string
		predictions   bool
		want          string
	}{
		{"a.txt", "1#0\ta\n2#0  b\n", false, `a.txt:2: no TAB between picture and caption in "2#0  b"; insert one or skip bad lines`},
		{"a.txt", "1#0\ta\nb\tc\n", false, `a.txt:2: no "#number"`},
		{"a.tsv", "\tcaption\n", false, "a.tsv:1: has no picture name"},
		{"a.tsv", "1\ta\n2\tb\n1\tc\n", true, `a.tsv:3: picture "1" has a second prediction (the first is on line 1)`},
		{"a.tsv", "1\tcaf\xe9\n", false, "a.tsv:1: is not UTF-8"},
		{"a.json", "", false, "a.json: is empty"},
		{"a.json", "\n \n", false, "a.json: is empty"},
		{"a.json", "\xff\xfe[\x00", false, "a.json:1: is UTF-16"},
		{"a.json", "[\n{\"image_id\": 1, \"caption\": \"a\"},\n{\"image_id\": 2}\n]", true, `a.json:3: picture "2" has no "prediction" or "caption"`},
		{"a.json", "[\n{\"image_id\": 1, \"caption\": \"a\"},\n{\"image_id\": 1, \"caption\": \"b\"}]", true, `a.json:3: picture "1" has a second prediction (the first is on line 2)`},
		{"a.json", "[\n{\"caption\": \"a\"}]", true, "a.json:2: has no picture name or number"},
		{"a.json", "[\n{\"image_id\": 1, \"caption\": \"a\"},\n{\"image", true, "a.json:3: the JSON ends too early"},
		{"a.json", "[{\"image_id\": 1, \"caption\": 5}]", true, "a.json:1: json: cannot unmarshal number"},
		{"a.json", "[{\"image_id\": 1, \"caption\": \"a\"}] x", true, "a.json:1: something follows"},
		{"a.json", "[{\"image_id\": 1, \"caption\": \"a\"}] []", true, "a.json:1: something follows"},
		{"a.json", "{\"images\": []}", false, `there is no "annotations"`},
		{"a.json", "[]", false, "holds no captions"},
		{"a.csv", "a,b\n1,2\n", false, `a.csv:1: the header "a,b" names no picture column`},
		{"a.csv", "id,caption\n1,a\n2\n", false, "a.csv:3: has 1 columns, the header 2"},
		{"a.csv", "id,caption\n1,\"a\n", false, "a.csv:"},
		{"a.jsonl", "{\"id\": 1, \"caption\": \"a\"}\n{\n", false, "a.jsonl:2: unexpected end of JSON input"},
		{"a", "what is this\n", false, "a:1: cannot tell the file's form"},
		{"a.json", "[" + strings.Repeat("[", 100_000), false, "a.json:1: "},
	} {
		path := write(t, tc.name, tc.content)
		read := References
		if tc.predictions {
			read = Predictions
		}
		_, err := read(path, Options{})
		require.ErrorContains(t, err, tc.want, "%q", tc.content[:min(len(tc.content), 60)])
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, path, e.File)
	}
	_, err := References(write(t, "a.json", "[1]"), Options{Format: "what"})
	require.ErrorContains(t, err, `unknown form "what"; known: coco`)
	_, err = References(filepath.Join(t.TempDir(), "none"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSkipBad(t *testing.T) {
	var skipped []string
	s, err := References(write(t, "a.txt", "1#0\ta\n2#0  b\nz\n3#0\tc\n"), Options{SkipBad: true, OnSkip: func(err error) { skipped = append(skipped, err.Error()) }})
	require.NoError(t, err)
	require.Len(t, s.Entries, 2)
	require.Len(t, skipped, 2)
	require.Contains(t, skipped[1], ":3: no TAB")
}

// TestLongLines wants bounded memory on a file without line breaks.
func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", maxRecord+1<<20)
	for name, content := range map[string]string{
		"a.tsv": "1\t" + long, "a.jsonl": `{"id": "` + long, "a.csv": "id,caption\n1," + long, "a.json": `[{"caption": "` + long,
	} {
		_, err := References(write(t, name, content), Options{})
		require.ErrorContains(t, err, "16 MiB", name)
	}
}

// TestFlickr8k reads the real file whose line 37574 lacks its TAB.
func TestFlickr8k(t *testing.T) {
	root := os.Getenv("SYNTIC_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared")
	}
	path := filepath.Join(root, "data", "captions", "Flickr8k.token.txt")
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("SYNTIC_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("NOT CHECKED: %v (set SYNTIC_SHARED)", err)
	}
	_, err := References(path, Options{})
	require.ErrorContains(t, err, "Flickr8k.token.txt:37574: no TAB")
	n := 0
	s, err := References(path, Options{SkipBad: true, OnSkip: func(error) { n++ }})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Len(t, s.Entries, 8092)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"annotations": [{"image_id": 1, "caption": "a"}]}`, `[{"image_name": "1", "captions": ["a"], "prediction": "b"}]`,
		`{"images": [{"split": "test", "filename": "1", "sentences": [{"raw": "a"}]}]}`, "1#0\ta\r\n\n2#0 b", "id,caption\n1,\"a\nb\"\n", "{\"id\":1,\"caption\":\"a\"}\n",
	} {
		for k := range 8 {
			f.Add(s, k, true)
		}
	}
	forms := []Format{Auto, COCO, Results, List, Karpathy, Flickr, TSV, CSV, JSONL}
	f.Fuzz(func(t *testing.T, content string, form int, references bool) {
		format := forms[uint(form)%uint(len(forms))]
		for _, skip := range []bool{false, true} {
			s, err := parse(strings.NewReader(content), "fuzz", Options{Format: format, SkipBad: skip}, references)
			if err != nil {
				var e *Error
				require.ErrorAs(t, err, &e)
				continue
			}
			for _, e := range s.Entries {
				if e.ID == "" || len(e.Texts) == 0 || !references && len(e.Texts) != 1 {
					t.Fatalf("%q: entry %+v", content, e)
				}
			}
		}
	})
}

func ExampleSet_Find() {
	s := NewSet("memory")
	s.Add("1.jpg", "a dog", 1)
	s.Add("1.jpg", "the dog", 2)
	e, ok := s.Find("1.jpg")
	fmt.Println(len(e.Texts), ok)
	// Output: 2 true
}
