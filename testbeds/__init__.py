"""The test beds: generators of drawn images with exact annotations, networks and their recipes.

Each test bed is a folder with its images, its networks and their recipes. `lib` finds them by the
names in the manifests (`generator: testbeds.birds:records`, `birds_vgg: testbeds.birds:vgg`).
"""
