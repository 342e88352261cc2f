package weights_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"syntic/weights"
)

// A checkpoint in OpenAI's naming reads under Hugging Face's names.
func Example() {
	dir, err := os.MkdirTemp("", "weights")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")
	err = weights.Write(path, []weights.Info{
		{Name: "visual.conv1.weight", DType: weights.F16, Shape: []int{2, 1}, Data: []byte{0, 0x3c, 0, 0x40}},
		{Name: "visual.proj", DType: weights.U8, Shape: []int{2, 3}, Data: []byte{1, 2, 3, 4, 5, 6}},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	src, err := weights.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	src = weights.Canonical(src, weights.FamilyCLIP)
	defer src.Close()
	for _, name := range src.Names() {
		t, err := src.Get(name)
		fmt.Println(t.Name, t.DType, t.Shape, t.Data, err)
	}
	// Output:
	// vision_model.embeddings.patch_embedding.weight F16 [2 1] [0 60 0 64] <nil>
	// visual_projection.weight U8 [3 2] [1 4 2 5 3 6] <nil>
}

// A damaged file gives an error that says where and why.
func ExampleFromBytes() {
	_, err := weights.FromBytes("bundle", []byte("<html>not found</html>"))
	var f *weights.FormatError
	fmt.Println(errors.As(err, &f))
	fmt.Println(err)
	// Output:
	// true
	// bundle: header length 8029423821061908540 exceeds 100000000 bytes; not a safetensors file, or damaged
}

// Guard turns the fault of a file truncated while in use into an error.
func ExampleGuard() {
	src, err := weights.FromBytes("bundle", append([]byte("\x35\x00\x00\x00\x00\x00\x00\x00"), `{"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}ab`...))
	if err != nil {
		fmt.Println(err)
		return
	}
	err = weights.Guard(func() error {
		t, err := src.Get("w")
		fmt.Println(t.Name, string(t.Data))
		return err
	})
	fmt.Println(err)
	// Output:
	// w ab
	// <nil>
}
