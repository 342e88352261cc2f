package vision

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Config is a preprocessor_config.json: how a checkpoint wants its pictures.
type Config struct {
	Resize        bool
	Short, Long   int // shortest side, and the longest it may reach (0: no limit)
	Height, Width int // or a fixed size, sides not kept in proportion; 0 when unused
	Filter        Filter
	Crop          bool
	CropH, CropW  int
	RoundedCrop   bool // centre as openai/CLIP (torchvision) instead of Hugging Face
	Rescale       float64
	Normalize     bool
	Mean, Std     [3]float64
	Pad           bool
	PadH, PadW    int // 0: the largest of the batch
}

// CLIPConfig is openai/clip-vit-base-patch32's, for side×side pictures.
func CLIPConfig(side int) Config {
	return Config{
		Resize: true, Short: side, Filter: Bicubic, Crop: true, CropH: side, CropW: side,
		Rescale: 1 / 255., Normalize: true,
		Mean: [3]float64{0.48145466, 0.4578275, 0.40821073},
		Std:  [3]float64{0.26862954, 0.26130258, 0.27577711},
	}
}

// DETRConfig is facebook/detr-resnet-50's.
func DETRConfig() Config {
	return Config{
		Resize: true, Short: 800, Long: 1333, Filter: Bilinear,
		Rescale: 1 / 255., Normalize: true, Pad: true,
		Mean: [3]float64{0.485, 0.456, 0.406},
		Std:  [3]float64{0.229, 0.224, 0.225},
	}
}

// LoadConfig reads a preprocessor_config.json, or the one in a directory. What
// the file leaves out is taken from base, as Hugging Face takes it from the
// processor's class: [CLIPConfig] or [DETRConfig].
//
// Errors: name the file and the key.
func LoadConfig(path string, base Config) (Config, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "preprocessor_config.json")
	}
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("preprocessing: %w", err)
	}
	defer f.Close()
	c, err := ParseConfig(f, base)
	if err != nil {
		return Config{}, fmt.Errorf("preprocessing: %s: %w", path, err)
	}
	return c, nil
}

// sides is any of the forms of "size" and "crop_size": 224, {"shortest_edge":
// 800, "longest_edge": 1333}, {"height": 128, "width": 128}.
type sides struct {
	Short  int `json:"shortest_edge"`
	Long   int `json:"longest_edge"`
	Height int `json:"height"`
	Width  int `json:"width"`
	plain  bool
}

func (s *sides) UnmarshalJSON(raw []byte) error {
	var n int
	if json.Unmarshal(raw, &n) == nil {
		*s = sides{Short: n, plain: true}
		return nil
	}
	type form sides
	return json.Unmarshal(raw, (*form)(s))
}

// ParseConfig is [LoadConfig] on an open file.
func ParseConfig(r io.Reader, base Config) (Config, error) {
	var file struct {
		DoResize  *bool       `json:"do_resize"`
		Size      *sides      `json:"size"`
		MaxSize   int         `json:"max_size"`
		Resample  *int        `json:"resample"`
		DoCrop    *bool       `json:"do_center_crop"`
		CropSize  *sides      `json:"crop_size"`
		DoRescale *bool       `json:"do_rescale"`
		Factor    *float64    `json:"rescale_factor"`
		DoNorm    *bool       `json:"do_normalize"`
		Mean      *[3]float64 `json:"image_mean"`
		Std       *[3]float64 `json:"image_std"`
		DoPad     *bool       `json:"do_pad"`
		PadSize   *sides      `json:"pad_size"`
	}
	if err := json.NewDecoder(io.LimitReader(r, 1<<20)).Decode(&file); err != nil {
		return Config{}, err
	}
	c := base
	set := func(dst *bool, src *bool) {
		if src != nil {
			*dst = *src
		}
	}
	set(&c.Resize, file.DoResize)
	set(&c.Crop, file.DoCrop)
	set(&c.Normalize, file.DoNorm)
	set(&c.Pad, file.DoPad)
	if s := file.Size; s != nil {
		c.Short, c.Long, c.Height, c.Width = s.Short, s.Long, s.Height, s.Width
		if s.plain && base.Long > 0 {
			c.Long = base.Long // DETR's old form: "size": 800, "max_size": 1333
		}
	}
	if file.MaxSize > 0 {
		c.Long = file.MaxSize
	}
	if file.Resample != nil {
		c.Filter = Filter(*file.Resample)
	}
	if s := file.CropSize; s != nil {
		c.CropH, c.CropW = s.Height, s.Width
		if s.Short > 0 {
			c.CropH, c.CropW = s.Short, s.Short
		}
	}
	if file.Factor != nil {
		c.Rescale = *file.Factor
	}
	if file.DoRescale != nil && !*file.DoRescale {
		c.Rescale = 1
	}
	if file.Mean != nil {
		c.Mean = *file.Mean
	}
	if file.Std != nil {
		c.Std = *file.Std
	}
	if s := file.PadSize; s != nil {
		c.PadH, c.PadW = s.Height, s.Width
	}
	return c, c.check()
}

// maxSide bounds what a config may ask for.
const maxSide = 16384

func (c *Config) check() error {
	for name, v := range map[string]int{
		"size.shortest_edge": c.Short, "size.longest_edge": c.Long, "size.height": c.Height, "size.width": c.Width,
		"crop_size.height": c.CropH, "crop_size.width": c.CropW, "pad_size.height": c.PadH, "pad_size.width": c.PadW,
	} {
		if v < 0 || v > maxSide {
			return fmt.Errorf("%s is %d: want 0 to %d", name, v, maxSide)
		}
	}
	switch {
	case c.Resize && c.Short == 0 && (c.Height == 0 || c.Width == 0):
		return fmt.Errorf("size: want shortest_edge, or height and width")
	case c.Crop && (c.CropH == 0 || c.CropW == 0):
		return fmt.Errorf("crop_size: want height and width")
	case c.Filter < 0 || int(c.Filter) >= len(filterNames):
		return fmt.Errorf("resample is %d: want 0 to %d", c.Filter, len(filterNames)-1)
	}
	for i, s := range c.Std {
		if c.Normalize && s == 0 {
			return fmt.Errorf("image_std[%d] is 0", i)
		}
	}
	return nil
}

// ResizedSize returns the size a w×h picture is resized to, before any crop.
// Sides come out at least 1, where Hugging Face fails on extreme strips.
//
// Source: transformers image_transforms.py, get_resize_output_image_size (no
// longest edge) and get_size_with_aspect_ratio (with one).
func (c *Config) ResizedSize(w, h int) (int, int) {
	if !c.Resize {
		return w, h
	}
	if c.Height > 0 && c.Width > 0 {
		return c.Width, c.Height
	}
	size := float64(c.Short)
	short, long := float64(min(w, h)), float64(max(w, h))
	edge := size
	if c.Long > 0 && long/short*size > float64(c.Long) {
		// The short side is rounded, the long one uses the exact value.
		size = float64(c.Long) * short / long
		edge = float64(roundHalfEven(size))
	}
	if min(w, h) == int(edge) && c.Long > 0 {
		return w, h
	}
	newShort, newLong := max(int(edge), 1), max(int(size*long/short), 1)
	if w < h {
		return newShort, newLong
	}
	return newLong, newShort
}
