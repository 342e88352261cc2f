package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"syntic/models/detr"
	"syntic/models/vision"
	"syntic/tensor"
	"syntic/tensor/graph"
	"syntic/weights"
)

// detrPlayer plays the cases of DETR.
type detrPlayer struct {
	loaded
	*detr.Model
}

func openDETR(s *suite, e *entry) (player, error) {
	p := &detrPlayer{}
	var err error
	p.loaded, err = s.load(e, newDETR, func(d graph.Device, config []byte, src weights.Source) (err error) {
		p.Model, err = detr.Load(d, config, src)
		return err
	})
	return p, err
}

// backboneConfig moves the golden kit's own key for a tiny ResNet to the
// published one; other configurations stay as they are.
func backboneConfig(config []byte) ([]byte, error) {
	if !bytes.Contains(config, []byte(`"_tiny_resnet"`)) {
		return config, nil
	}
	var m map[string]any
	if err := json.Unmarshal(config, &m); err != nil {
		return nil, err
	}
	m["backbone_config"], m["use_timm_backbone"] = m["_tiny_resnet"], false
	return json.Marshal(m)
}

func (p *detrPlayer) close() error {
	p.Model.Close()
	return p.loaded.close()
}

func (p *detrPlayer) play(ctx context.Context, c *testCase) (map[string]array, error) {
	if _, ok := c.Outputs["scores0"]; ok {
		return p.postprocess(c)
	}
	pixels, masks, s, err := detrInput(c)
	if err != nil {
		return nil, err
	}
	n, H, W := s[0], s[2], s[3]
	padded := bytes.IndexByte(masks, 0) >= 0
	kept := taps(c, nil, "logits", "pred_boxes", "feature_mask", "position_embedding")
	program, err := p.Program(n, H, W, padded, kept.names()...)
	if err != nil {
		return nil, err
	}
	if len(kept) > 0 { // otherwise the model keeps it
		defer program.Close()
	}
	copy(program.F32("pixel_values"), pixels)
	if padded {
		p.Fill(program, masks)
	}
	got, err := kept.run(ctx, program, map[string]array{})
	if err != nil {
		return nil, err
	}
	got["logits"] = values(program.F32("logits"), program.Shape("logits")...)
	got["pred_boxes"] = values(program.F32("pred_boxes"), program.Shape("pred_boxes")...)

	h, w := p.Cells(H, W)
	d := p.Config().Width
	cells, at := make([]float32, n*h*w), make([]float32, n*h*w*d)
	for i := range n {
		k := cells[i*h*w : (i+1)*h*w]
		detr.FeatureMask(k, masks[i*H*W:(i+1)*H*W], H, W, h, w)
		detr.Positions(at[i*h*w*d:(i+1)*h*w*d], k, h, w, d)
	}
	got["feature_mask"] = integers(cells, func(v float32) int64 { return int64(v) }, n, h, w)
	got["position_embedding"] = picture(at, n, h, w, d)
	return got, nil
}

// detrInput returns the pictures of a case, normalised, as [N,H,W,3], and their
// masks [N,H,W]; s is [N,3,H,W].
func detrInput(c *testCase) (pixels []float32, masks []byte, s tensor.Shape, err error) {
	name := "pixel_values"
	if _, ok := c.Inputs[name]; !ok {
		name = "resized_u8"
	}
	t, err := c.input(name)
	if err != nil {
		return nil, nil, nil, err
	}
	s = t.Shape
	if len(s) != 4 || s[1] != 3 {
		return nil, nil, nil, fmt.Errorf("input %s has shape %v, want [N,3,H,W]", name, s)
	}
	m, err := c.input("pixel_mask")
	if err != nil {
		return nil, nil, nil, err
	}
	switch {
	case m.Shape.Equal(tensor.Shape{2}): // [H,W]: the whole picture
		masks = bytes.Repeat([]byte{1}, s[0]*s[2]*s[3])
	case m.DType == weights.U8 && m.Shape.Equal(tensor.Shape{s[0], s[2], s[3]}):
		masks = m.Data
	default:
		return nil, nil, nil, fmt.Errorf("pixel_mask has type %v and shape %v", m.DType, m.Shape)
	}
	if name == "pixel_values" {
		v, err := t.Float32s()
		if err != nil {
			return nil, nil, nil, err
		}
		return toNHWC(v, s), masks, s, nil
	}
	pixels, err = normalizePictures(t.Data, masks, s)
	return pixels, masks, s, err
}

// normalizePictures normalises the bytes of a batch as DETR's processor does and
// leaves zeros where it is padded. Shapes: u8 [N,3,H,W], masks [N,H,W].
func normalizePictures(u8, masks []byte, s tensor.Shape) ([]float32, error) {
	n, H, W := s[0], s[2], s[3]
	config := vision.DETRConfig()
	config.Resize, config.PadH, config.PadW = false, H, W
	var batch []*vision.Picture
	for i := range n {
		mask := masks[i*H*W : (i+1)*H*W]
		w, h := bytes.Count(mask[:W], []byte{1}), 0
		for y := range H {
			h += int(mask[y*W])
		}
		if w == 0 || h == 0 || bytes.Count(mask, []byte{1}) != w*h {
			return nil, fmt.Errorf("pixel_mask %d isn't one picture in the upper left", i)
		}
		p := vision.NewPicture(w, h)
		for j := range w * h * 3 {
			ch, x, y := j%3, j/3%w, j/3/w
			p.Pix[j] = u8[((i*3+ch)*H+y)*W+x]
		}
		batch = append(batch, p)
	}
	pixels, made := make([]float32, n*H*W*3), make([]byte, n*H*W)
	return pixels, config.Batch(pixels, made, batch, nil)
}

// postprocess turns stored logits and boxes into detections.
func (p *detrPlayer) postprocess(c *testCase) (map[string]array, error) {
	var f struct {
		Sizes     [][2]float32 `json:"target_sizes"` // height, width
		Threshold float32      `json:"threshold"`
	}
	if err := c.decode(&f); err != nil {
		return nil, err
	}
	logits, s, err := c.floats("logits", 3)
	if err != nil {
		return nil, err
	}
	boxes, b, err := c.floats("pred_boxes", 3)
	if err != nil {
		return nil, err
	}
	if s[0] != len(f.Sizes) || !b.Equal(tensor.Shape{s[0], s[1], 4}) || s[2] < 2 {
		return nil, fmt.Errorf("logits %v, pred_boxes %v and %d sizes don't fit", s, b, len(f.Sizes))
	}
	got := map[string]array{}
	for i, size := range f.Sizes {
		objects := detr.PostProcess(logits[i*s[1]*s[2]:(i+1)*s[1]*s[2]], boxes[i*s[1]*4:(i+1)*s[1]*4], s[2]-1, size[1], size[0], f.Threshold)
		var scores, corners []float32
		var labels []int64
		for _, o := range objects {
			scores = append(scores, o.Score)
			labels = append(labels, int64(o.Label))
			corners = append(corners, o.Box[:]...)
		}
		n := len(objects)
		got[fmt.Sprintf("scores%d", i)] = values(scores, n)
		got[fmt.Sprintf("labels%d", i)] = array{shape: tensor.Shape{n}, i64: labels}
		got[fmt.Sprintf("boxes%d", i)] = values(corners, n, 4)
	}
	return got, nil
}
