package vision_test

import (
	"errors"
	"fmt"
	"strings"

	"syntic/models/vision"
)

func ExampleDecodeFile() {
	p, format, err := vision.DecodeFile("testdata/orient6.jpg", vision.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	clip := vision.CLIPConfig(224)
	w, h := clip.OutputSize(p.W, p.H)
	values := make([]float32, h*w*3) // [1,H,W,3]
	fmt.Println(format, p.W, p.H, clip.Tensor(values, p, nil))

	_, _, err = vision.Decode(strings.NewReader("%PDF-1.7"), vision.Limits{})
	var refused *vision.Error
	fmt.Println(errors.As(err, &refused) && refused.Kind == vision.Unsupported, err)
	// Output:
	// JPEG 11 18 <nil>
	// true PDF picture not supported: convert it to JPEG, PNG, GIF, WebP, BMP or TIFF
}
