package token

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// randomCases are texts made to hit every repair, see testdata/README.md.
func randomCases(t testing.TB) []goldenCase {
	f, err := os.Open("testdata/random.jsonl")
	require.NoError(t, err)
	defer f.Close()
	var cases []goldenCase
	s := bufio.NewScanner(f)
	for s.Scan() {
		var c goldenCase
		require.NoError(t, json.Unmarshal(s.Bytes(), &c))
		cases = append(cases, c)
	}
	require.NoError(t, s.Err())
	require.Greater(t, len(cases), 100)
	return cases
}

func TestRandomClean(t *testing.T) {
	for _, c := range randomCases(t) {
		require.Equal(t, c.Clean, cleanOpenAI(c.Text), "%q", c.Text)
	}
}

func TestRandomIDs(t *testing.T) {
	openai := load(t, "golden/tokenizer", Options{})
	hf := load(t, "golden/tokenizer", Options{Clean: HF})
	for _, c := range randomCases(t) {
		require.Equal(t, c.IDs, openai.Encode(c.Text), "%q", c.Text)
		require.Equal(t, c.HF, hf.Encode(c.Text), "%q", c.Text)
	}
}
