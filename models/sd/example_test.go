package sd_test

import (
	"context"
	"log"
	"os"

	"syntic/models/sd"
	"syntic/tensor/cpu"
	"syntic/weights"
)

// The noise of a few steps, for a prompt set once.
func Example() {
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	config, err := os.ReadFile("model/unet/config.json")
	if err != nil {
		log.Fatal(err)
	}
	src, err := weights.Open("model/unet")
	if err != nil {
		log.Fatal(err)
	}
	defer src.Close()
	u, err := sd.LoadUNet(dev, config, weights.Canonical(src, weights.FamilyUNet))
	if err != nil {
		log.Fatal(err)
	}
	defer u.Close()

	ctx := context.Background()
	hidden := make([]float32, 2*77*u.Config().Context) // the text encoder's rows: without and with the prompt
	if err := u.SetContext(ctx, hidden, 2); err != nil {
		log.Fatal(err)
	}
	latents := make([]float32, 2*64*64*u.Config().In) // both halves of the guidance
	noise := make([]float32, len(latents))
	for _, t := range []float64{981, 961, 941} {
		if err := u.Step(ctx, noise, latents, []float64{t, t}, 64, 64); err != nil {
			log.Fatal(err)
		}
		// A scheduler moves the latents by the noise.
	}
}
