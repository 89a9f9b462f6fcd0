"""What is drawn and what is trained here: generators with exact annotations, networks, recipes.

Each test bed is a folder: its images, its networks, their recipes. `lib` finds them by the names
that the manifests give (`generator: testbeds.birds:records`, `birds_vgg: testbeds.birds:vgg`).
"""
