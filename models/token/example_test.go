package token_test

import (
	"fmt"
	"strings"

	"syntic/models/token"
)

func ExampleTokenizer_Tokenize() {
	vocab := `{"c": 0, "a": 1, "t</w>": 2, "ca": 3, "cat</w>": 4, "<|startoftext|>": 5, "<|endoftext|>": 6}`
	merges := "#version: 0.2\nc a\nca t</w>\n"
	t, err := token.New(strings.NewReader(vocab), strings.NewReader(merges), token.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ids, n, truncated := t.Tokenize("Cat &amp;amp; “CAT”", 8, token.PadZero)
	fmt.Println(t.Clean("Cat &amp;amp; “CAT”"))
	fmt.Println(ids, n, truncated)
	fmt.Printf("%q\n", t.Decode(ids[1:2]))
	// Output:
	// cat & "cat"
	// [5 4 6 6 4 6 6 0] 7 false
	// "cat "
}
