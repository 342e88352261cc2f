package token

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// shared returns a path of the shared material, which lies beside the module.
func shared(t testing.TB, path string) string {
	t.Helper()
	root := os.Getenv("SYNTIC_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		require.NoError(t, err)
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
		}
		root = filepath.Join(dir, "..", "shared")
	}
	full := filepath.Join(root, path)
	if _, err := os.Stat(full); err != nil {
		if os.Getenv("SYNTIC_REQUIRE_SHARED") == "1" {
			t.Fatalf("shared material is required: %v", err)
		}
		t.Skipf("NOT CHECKED against %s: no shared material", path)
	}
	return full
}

type goldenCase struct {
	Text      string  `json:"text"`
	Hex       string  `json:"text_hex"`
	Clean     string  `json:"clean"`
	IDs       []int32 `json:"ids"`
	HF        []int32 `json:"ids_hf"`
	Truncated bool    `json:"truncated"`
	Decoded   string  `json:"decoded"`
}

func goldenCases(t testing.TB) []goldenCase {
	raw, err := os.ReadFile(shared(t, "golden/tokenizer/clip_bpe.json"))
	require.NoError(t, err)
	var file struct{ Cases []goldenCase }
	require.NoError(t, json.Unmarshal(raw, &file))
	require.Greater(t, len(file.Cases), 300)
	return file.Cases
}

func load(t testing.TB, path string, o Options) *Tokenizer {
	t.Helper()
	tok, err := Load(shared(t, path), o)
	require.NoError(t, err)
	return tok
}

func TestGolden(t *testing.T) {
	openai := load(t, "golden/tokenizer", Options{})
	hf := load(t, "golden/tokenizer", Options{Clean: HF})
	packed := load(t, "golden/tokenizer/bpe_simple_vocab_16e6.txt.gz", Options{})
	require.Equal(t, 49408, openai.VocabSize())
	require.Equal(t, int32(49406), openai.Start())
	require.Equal(t, int32(49407), openai.End())
	for _, c := range goldenCases(t) {
		raw, err := hex.DecodeString(c.Hex)
		require.NoError(t, err)
		text := string(raw)
		require.Equal(t, c.Clean, openai.Clean(text), "clean of %q", text)
		ids := openai.Encode(text)
		require.Equal(t, c.IDs, ids, "ids of %q", text)
		require.Equal(t, c.IDs, packed.Encode(text), "ids of %q from OpenAI's file", text)
		require.Equal(t, c.Decoded, openai.Decode(ids), "decoded ids of %q", text)
		want := c.HF
		if want == nil {
			want = c.IDs
		}
		require.Equal(t, want, hf.Encode(text), "Hugging Face's ids of %q", text)

		for _, pad := range []Pad{PadZero, PadEnd} {
			full, n, truncated := openai.Tokenize(text, 77, pad)
			require.Equal(t, c.Truncated, truncated)
			require.Len(t, full, 77)
			require.Equal(t, openai.Start(), full[0])
			require.Equal(t, openai.End(), full[n-1])
			require.Equal(t, c.IDs[:n-2], full[1:n-1])
			for _, id := range full[n:] {
				require.Equal(t, []int32{0, 49407}[pad], id)
			}
		}
	}
}
