package sd

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTextsEncodeAlikeTogether encodes 21 new texts, one twice, as a GPU would, in one
// drawing, and one by one: the same bits.
func TestTextsEncodeAlikeTogether(t *testing.T) {
	together, alone := scale(t, wide{device(t, 2)}), scale(t, device(t, 2))
	s := Settings{Steps: 1, Guidance: 5, Width: 8, Height: 8}
	prompts := []Prompt{{Text: "text 0", Negative: "text 1"}}
	for i := range 20 {
		prompts = append(prompts, Prompt{Text: fmt.Sprintf("text %d", i), Negative: "text 1"})
	}
	_, err := together.Start(t.Context(), append(prompts, Prompt{Negative: "text 1"}), s)
	require.NoError(t, err)
	require.Len(t, together.known, 21)
	for text, rows := range together.known {
		_, err := alone.Start(t.Context(), []Prompt{{Text: text, Negative: text}}, s)
		require.NoError(t, err)
		require.Len(t, alone.known, 1)
		require.Equal(t, alone.known[text], rows, text)
	}
}

func TestTextBatches(t *testing.T) {
	for n := range 100 {
		sum := 0
		for _, size := range textBatches(n, 16) {
			require.Contains(t, []int{1, 2, 4, 8, 16}, size)
			sum += size
		}
		require.Equal(t, n, sum)
	}
	require.Equal(t, []int{16, 4, 1}, textBatches(21, 16))
	require.Equal(t, []int{2, 2, 1}, textBatches(5, 2))
	p := &Pipeline{dev: wide{}}
	require.Equal(t, maxTexts, p.texts())
	p.dev = device(t, 1)
	require.Equal(t, 2, p.texts())
}
