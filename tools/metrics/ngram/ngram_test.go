package ngram

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVocabulary(t *testing.T) {
	v := NewVocabulary()
	require.Equal(t, uint32(1), v.Add("a"))
	require.Equal(t, uint32(2), v.Add(""))
	require.Equal(t, uint32(1), v.Add("a"))
	require.Equal(t, uint32(1), v.Find([]byte("a")))
	require.Zero(t, v.Find([]byte("b")))
	require.Equal(t, 3, v.Len())
	require.Equal(t, "a", v.Word(1))
	require.Zero(t, testing.AllocsPerRun(100, func() { v.Find([]byte("a")) }))
}

// TestTrie grows the trie well past its first size.
func TestTrie(t *testing.T) {
	tr := NewTrie()
	ids := map[[2]uint32]uint32{}
	for parent := range uint32(100) {
		for word := uint32(1); word < 200; word++ {
			ids[[2]uint32{parent, word}] = tr.Add(parent, word)
		}
	}
	require.Equal(t, len(ids)+1, tr.Len())
	seen := map[uint32]bool{}
	for k, id := range ids {
		require.Equal(t, id, tr.Find(k[0], k[1]))
		require.Equal(t, id, tr.Add(k[0], k[1]))
		require.False(t, seen[id])
		seen[id] = true
	}
	require.Zero(t, tr.Find(100, 1))
	require.Zero(t, tr.Find(0, 200))
}
