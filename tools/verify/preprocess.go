package verify

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"syntic/models/vision"
)

// preprocess plays the cases of picture preparation; it needs no device.
type preprocess struct{}

func (preprocess) close() error { return nil }

func (preprocess) play(_ context.Context, c *testCase) (map[string]array, error) {
	switch {
	case strings.HasPrefix(c.ID, "pre/clip/"):
		return preCLIP(c)
	case strings.HasPrefix(c.ID, "pre/detr/"):
		return preDETR(c)
	case c.ID == "pre/detr_batch":
		return preBatch(c)
	case strings.HasPrefix(c.ID, "pre/pil/"):
		return prePillow(c)
	}
	return nil, fmt.Errorf("the preprocessing case %q isn't built yet", c.ID)
}

// sampled adds every k-th element of an output whose golden is named
// "<name>_every<k>", row-major in the golden's order.
func sampled(c *testCase, got map[string]array) (map[string]array, error) {
	for name := range c.Outputs {
		base, every, ok := strings.Cut(name, "_every")
		whole, have := got[base]
		if !ok || !have {
			continue
		}
		k, err := strconv.Atoi(every)
		if err != nil || k < 1 {
			return nil, fmt.Errorf("manifest: output %q", name)
		}
		n := (whole.shape.Elems() + k - 1) / k
		part := array{shape: []int{n}}
		for i := range n {
			if v := whole.at(i * k); whole.i64 != nil {
				part.i64 = append(part.i64, int64(v))
			} else {
				part.f32 = append(part.f32, float32(v))
			}
		}
		got[name] = part
	}
	return got, nil
}

func pixelsOf(p *vision.Picture) array { return bytesOf(p.Pix, p.H, p.W, 3) }

// source decodes the picture that a field of the case names.
func (c *testCase) source(field func(*pictureFields) string) (*vision.Picture, error) {
	var f pictureFields
	if err := c.decode(&f); err != nil {
		return nil, err
	}
	p, _, err := vision.DecodeFile(c.s.path(field(&f)), vision.Limits{})
	return p, err
}

type pictureFields struct {
	Picture  string `json:"picture"`
	Picture0 string `json:"picture0"`
}

func preCLIP(c *testCase) (map[string]array, error) {
	p, err := c.source(func(f *pictureFields) string { return f.Picture })
	if err != nil {
		return nil, err
	}
	config := vision.CLIPConfig(224)
	w, h := config.ResizedSize(p.W, p.H)
	rounded := config
	rounded.RoundedCrop = true
	tensor := make([]float32, config.CropH*config.CropW*3)
	if err := config.Tensor(tensor, p, nil); err != nil {
		return nil, err
	}
	values := picture(tensor, 1, config.CropH, config.CropW, 3)
	return sampled(c, map[string]array{
		"resized_u8":     pixelsOf(p.Resize(w, h, config.Filter, nil)),
		"crop_u8":        pixelsOf(config.Pixels(p, nil)),
		"crop_u8_openai": pixelsOf(rounded.Pixels(p, nil)),
		"pixel_values":   values.first(),
	})
}

func preDETR(c *testCase) (map[string]array, error) {
	p, err := c.source(func(f *pictureFields) string { return f.Picture })
	if err != nil {
		return nil, err
	}
	config := vision.DETRConfig()
	w, h := config.BatchSize([]*vision.Picture{p})
	tensor, mask := make([]float32, h*w*3), make([]byte, h*w)
	if err := config.Batch(tensor, mask, []*vision.Picture{p}, nil); err != nil {
		return nil, err
	}
	resized := config.Pixels(p, nil)
	values := picture(tensor, 1, h, w, 3)
	return sampled(c, map[string]array{
		"resized_u8":     pixelsOf(resized),
		"sum_u8":         total(resized.Pix),
		"pixel_mask_sum": total(mask),
		"pixel_values":   values.first(),
	})
}

// first returns the first picture of a batch, without the batch's dimension.
func (a array) first() array {
	n := a.shape[1:].Elems()
	out := array{shape: a.shape[1:], f32: make([]float32, n)}
	for i := range n {
		out.f32[i] = float32(a.at(i))
	}
	return out
}

func total(v []byte) array {
	sum := int64(0)
	for _, b := range v {
		sum += int64(b)
	}
	return array{shape: []int{1}, i64: []int64{sum}}
}

func preBatch(c *testCase) (map[string]array, error) {
	var f struct {
		Size struct {
			Short int `json:"shortest_edge"`
			Long  int `json:"longest_edge"`
		} `json:"size"`
	}
	if err := c.decode(&f); err != nil {
		return nil, err
	}
	first, err := c.source(func(f *pictureFields) string { return f.Picture0 })
	if err != nil {
		return nil, err
	}
	second, err := c.picture("picture1")
	if err != nil {
		return nil, err
	}
	pictures := []*vision.Picture{first, second}
	config := vision.DETRConfig()
	config.Short, config.Long = f.Size.Short, f.Size.Long
	w, h := config.BatchSize(pictures)
	tensor, mask := make([]float32, 2*h*w*3), make([]byte, 2*h*w)
	if err := config.Batch(tensor, mask, pictures, nil); err != nil {
		return nil, err
	}
	return map[string]array{"pixel_values": picture(tensor, 2, h, w, 3), "pixel_mask": bytesOf(mask, 2, h, w)}, nil
}

// picture returns an input of bytes [H,W,3].
func (c *testCase) picture(name string) (*vision.Picture, error) {
	pix, s, err := c.bytes(name)
	if err != nil {
		return nil, err
	}
	if len(s) != 3 || s[2] != 3 || s.Elems() == 0 {
		return nil, fmt.Errorf("input %s has shape %v, want [H,W,3]", name, s)
	}
	return &vision.Picture{W: s[1], H: s[0], Pix: pix}, nil
}

func prePillow(c *testCase) (map[string]array, error) {
	var f struct {
		Size   [2]int `json:"size_hw"`
		Filter string `json:"filter"`
	}
	if err := c.decode(&f); err != nil {
		return nil, err
	}
	p, err := c.picture("picture")
	if err != nil {
		return nil, err
	}
	for filter := vision.Nearest; filter <= vision.Hamming; filter++ {
		if filter.String() == f.Filter {
			return map[string]array{"out": pixelsOf(p.Resize(f.Size[1], f.Size[0], filter, nil))}, nil
		}
	}
	return nil, fmt.Errorf("the filter %q isn't built yet", f.Filter)
}
