package fullsize

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"syntic/models/caption"
	"syntic/models/clip"
	"syntic/models/decoder"
	"syntic/models/detr"
	"syntic/models/sd"
	"syntic/nn"
	"syntic/tensor"
	"syntic/weights"
)

// Options say what is written.
type Options struct {
	Seed      uint64
	DType     tensor.DType // F32, F16 or BF16
	Tokenizer string       // folder with CLIP's vocab.json and merges.txt
	Support   int          // rows of the support memory
}

// Write fills dir with clip/, detr/ and captioner/.
func Write(dir string, o Options) error {
	if err := writeCLIP(filepath.Join(dir, "clip"), o); err != nil {
		return err
	}
	if err := writeDETR(filepath.Join(dir, "detr"), o); err != nil {
		return err
	}
	return writeCaptioner(filepath.Join(dir, "captioner"), o)
}

func writeCLIP(dir string, o Options) error {
	// The config's defaults are ViT-B/32's sizes.
	c, err := clip.ParseConfig([]byte(`{"projection_dim": 512}`))
	if err != nil {
		return err
	}
	if err := writeModel(dir, o, c, nn.List(clip.New(c), "")); err != nil {
		return err
	}
	return copyVocabulary(dir, o)
}

// copyVocabulary puts CLIP's vocabulary into a folder.
func copyVocabulary(dir string, o Options) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, name := range []string{"vocab.json", "merges.txt"} {
		data, err := os.ReadFile(filepath.Join(o.Tokenizer, name))
		if err != nil {
			return fmt.Errorf("CLIP's vocabulary is needed: %w", err)
		}
		if err := renameio.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			return err
		}
	}
	return nil
}

func writeDETR(dir string, o Options) error {
	c, err := detr.ParseConfig([]byte(`{}`))
	if err != nil {
		return err
	}
	return writeModel(dir, o, map[string]any{"model_type": "detr", "backbone": "resnet50", "num_labels": len(c.Labels)}, nn.List(detr.New(c), ""))
}

func writeCaptioner(dir string, o Options) error {
	c, err := decoder.ParseConfig([]byte(`{}`))
	if err != nil {
		return err
	}
	if err := writeModel(dir, o, c, nn.List(decoder.New(nil, c), "")); err != nil {
		return err
	}
	const dim = 512
	list := nn.List(caption.NewPrefix(dim, c.Width, 4, true), "")
	if err := writeTensors(filepath.Join(dir, "prefix.safetensors"), o, list); err != nil {
		return err
	}
	support, err := weights.Synthetic(o.Seed, []weights.Info{{Name: "support", Shape: []int{o.Support, dim}}}).Get("support")
	if err != nil {
		return err
	}
	features, err := tensor.FromInfo(support).Float32s()
	if err != nil {
		return err
	}
	texts := make([]string, o.Support)
	for i := range texts {
		texts[i] = fmt.Sprintf("synthetic sentence %d", i)
	}
	return caption.ImportMemory(filepath.Join(dir, "support.safetensors"), features, dim, caption.NewCorpus(texts), weights.F16)
}

// writeModel writes a folder's config.json and model.safetensors.
func writeModel(dir string, o Options, config any, list []weights.Info) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	data, err := json.MarshalIndent(config, "", " ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, "config.json"), data, 0o666); err != nil {
		return err
	}
	return writeTensors(filepath.Join(dir, "model.safetensors"), o, list)
}

// writeTensors writes synthetic values of the listed names, one at a time.
func writeTensors(path string, o Options, list []weights.Info) error {
	src := weights.Synthetic(o.Seed, list)
	typed := make([]weights.Info, len(list))
	for i, t := range list {
		typed[i] = weights.Info{Name: t.Name, Shape: t.Shape, DType: o.DType}
	}
	return weights.WriteFrom(path, typed, nil, func(t weights.Info, w io.Writer) error {
		v, err := src.Get(t.Name)
		if err != nil {
			return err
		}
		if v, err = weights.Convert(v, t.DType); err != nil {
			return err
		}
		_, err = w.Write(v.Data)
		return err
	})
}

// WriteSD fills dir with a Stable Diffusion v1-5 in diffusers' layout.
func WriteSD(dir string, o Options) error {
	t, err := clip.ParseText([]byte(sd.V1Text))
	if err != nil {
		return err
	}
	u, err := sd.ParseUNet([]byte(sd.V1UNet))
	if err != nil {
		return err
	}
	v, err := sd.ParseVAE([]byte(sd.V1VAE))
	if err != nil {
		return err
	}
	for _, part := range []struct {
		name, config string
		list         []weights.Info
	}{
		{"text_encoder", sd.V1Text, nn.List(clip.NewText(t), "")},
		{"unet", sd.V1UNet, nn.List(sd.NewUNet(u), "")},
		{"vae", sd.V1VAE, nn.List(sd.NewVAE(v), "")},
	} {
		if err := writeModel(filepath.Join(dir, part.name), o, json.RawMessage(part.config), part.list); err != nil {
			return err
		}
	}
	if err := copyVocabulary(filepath.Join(dir, "tokenizer"), o); err != nil {
		return err
	}
	scheduler := filepath.Join(dir, "scheduler")
	if err := os.MkdirAll(scheduler, 0o777); err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(scheduler, "scheduler_config.json"), []byte(sd.V1Scheduler), 0o666)
}
