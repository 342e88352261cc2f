package caption

import (
	"fmt"

	"syntic/models/token"
	"syntic/models/vision"
	"syntic/weights"
)

// part returns the folder of one model: name inside d, or d itself where it
// holds that model alone.
func part(d weights.Dir, name string) (weights.Dir, error) {
	if err := d.Check("clip/, detr/ and captioner/"); err != nil {
		return weights.Dir{}, err
	}
	for _, p := range []weights.Dir{d.Sub(name), d} {
		if p.Has("config.json") {
			return p, nil
		}
	}
	return weights.Dir{}, fmt.Errorf("%s: neither %s/config.json nor config.json is there; a model directory holds clip/, detr/ and captioner/ in Hugging Face's layout", d, name)
}

// tokenizer loads the folder's tokenizer.
func tokenizer(d weights.Dir) (*token.Tokenizer, error) {
	files, err := d.FS()
	if err != nil {
		return nil, err
	}
	return token.LoadFS(files, d.String(), token.Options{Clean: token.HF})
}

// preprocessor reads the folder's preprocessor_config.json; base stands where
// there is none.
func preprocessor(d weights.Dir, base vision.Config) (vision.Config, error) {
	const name = "preprocessor_config.json"
	if !d.Has(name) {
		return base, nil
	}
	files, err := d.FS()
	if err != nil {
		return vision.Config{}, err
	}
	f, err := files.Open(name)
	if err != nil {
		return vision.Config{}, err
	}
	defer f.Close()
	c, err := vision.ParseConfig(f, base)
	if err != nil {
		return vision.Config{}, fmt.Errorf("%s: %w", d, err)
	}
	return c, nil
}
